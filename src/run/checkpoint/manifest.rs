//! What a checkpoint says of itself: whose it is, where the input and the outputs stand, and which states follow.

use rarog_lang::stable_id::StableId;
use serde::{Deserialize, Serialize};

/// Version of the form; a reader refuses others.
pub const FORMAT: u32 = 1;

/// See the module's head. Stored as JSON, so that people can look into it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The version of rarog that wrote it.
    pub build: String,
    /// Name of the pipeline.
    pub pipeline: String,
    /// Which life of the pipeline: a run that forgets begins another one.
    pub incarnation: u64,
    /// Number of the chunk that it stands behind.
    pub chunk: u64,
    /// Wall clock when it was written, ns since 1970.
    pub written: i64,
    /// How keys are hashed, by an example.
    pub key_hash: u64,
    /// All operators of the program in one number.
    pub program: StableId,
    /// Where the input stands.
    pub input: Input,
    /// Where the outputs stand that have a length.
    pub outputs: Vec<Output>,
    /// States, in the order in which their parts follow.
    pub operators: Vec<Operator>,
    /// What follows behind the states.
    pub attachments: Vec<Part>,
}

/// Where the input stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Input {
    /// `--input`.
    File(FilePosition),
    /// A live run.
    Live(LivePosition),
}

/// Where the sources of a live run stand. Messages are not counted: a broker sends again what is not acknowledged.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LivePosition {
    /// By source.
    pub sources: Vec<SourcePosition>,
    /// Client ids, for each of which an attachment has the messages that are in the states and that the broker may send again.
    pub clients: Vec<String>,
    /// Wall clock that timers count from, ns.
    pub timers: Option<i64>,
    /// All inputs have ended, which ended event time, too.
    pub ended: bool,
}

/// Where a source stands.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SourcePosition {
    /// What it reads: a path, or client id and filter.
    pub name: String,
    /// Of a file the bytes, of a generator the readings before it.
    pub offset: u64,
    /// Records before it.
    pub records: u64,
    /// Event time of the last record, for those without, ns.
    pub time: i64,
    /// `.evt`: offset of the last BATCH, ns.
    pub batch: i64,
    /// Its largest event time, ns.
    pub clock: Option<i64>,
}

/// A place in a file, between two lines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FilePosition {
    /// The file, as it was named.
    pub path: String,
    /// Bytes before it.
    pub offset: u64,
    /// Event time of the record before it, ns: records without a time have that.
    pub time: i64,
    /// `.evt`: offset of the last BATCH before it, ns.
    pub batch: i64,
    /// It is the end, which ended event time, too.
    pub ended: bool,
    /// Checksums of what is at the file's beginning and before this place: is it the same file?
    pub looks: (u32, u32),
}

/// How long an output is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its path; empty: standard output.
    pub path: String,
    /// Bytes.
    pub length: u64,
    /// Device and number of the file.
    pub file: (u64, u64),
}

/// The state of an operator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// Its stable id.
    pub id: StableId,
    /// The stream in whose text it stands.
    pub stream: String,
    /// What it does, in words.
    pub does: String,
    /// Version of its form.
    pub version: u32,
    /// Its parts.
    pub parts: Vec<Part>,
}

/// A part of a state, or an attachment: bin (`null`: what belongs to no key), length, checksum.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Bin of keys.
    pub bin: Option<u8>,
    /// Bytes.
    pub length: u64,
    /// CRC-32.
    pub crc: u32,
}
