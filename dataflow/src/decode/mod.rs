//! Bytes to columnar rows: JSON lines, JSON messages and `.evt` (vpl.md sections 5, 7 and 13).
//!
//! Not in here: where bytes come from (connectors), and what happens to records that cannot be used (the host).

mod convert;
mod number;
mod string;
mod time;
mod value;

pub(crate) use convert::convert;
pub(crate) use value::read_object;
