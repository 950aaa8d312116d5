//! The decoder as a whole: tables from the text of the language, and random input against a plain reference.

mod evt;
mod forms;
mod plans;
mod random;
mod reference;
