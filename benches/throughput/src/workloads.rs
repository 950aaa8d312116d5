//! The workloads: which events a program reads, what its rows are compared by, what it may cost.

/// A workload.
#[derive(Debug)]
pub struct Workload {
    /// Its name; `programs/NAME.vpl` is its program.
    pub name: &'static str,
    /// The set of events, as `rarog generate` calls it.
    pub set: &'static str,
    /// The largest acceptable ratio of CPU per event to the anchor's.
    pub must: Option<f64>,
    /// The columns of result rows by the beginning of their event types. `c*k` is a number that is compared rounded after
    /// multiplying it by k.
    pub rows: &'static [(&'static str, &'static [&'static str])],
}

const MEANS: &[&str] = &["sensor", "start", "n", "total*100"];
const TAKEOVERS: &[&str] = &["a", "b", "c"];

/// All workloads.
pub const WORKLOADS: &[Workload] = &[
    workload("w1", "sensors", Some(2.7), &[("", &["seq"])]),
    workload("w2", "sensors", Some(2.0), &[("", &["seq", "sensor", "temp_f*1000"])]),
    workload("w3", "sensors", Some(3.4), &[("", MEANS)]),
    workload("w4", "sensors", Some(4.9), &[("", MEANS)]),
    workload("w5", "ticks", Some(3.3), &[("", &["symbol", "at", "v", "pv*100"])]),
    workload("w6", "clicks", Some(3.6), &[("", &["user", "a", "b", "n", "m"])]),
    workload("w7", "auth", Some(8.6), &[("", &["user", "a", "b"])]),
    workload("w8", "auth", Some(20.0), &[("", TAKEOVERS)]),
    workload("w8p", "auth", Some(20.0), &[("", TAKEOVERS)]),
    workload("w8n", "auth", Some(24.0), &[("", TAKEOVERS)]),
    workload("w9", "ticks", Some(4.7), &[("", &["symbol", "a", "b", "n"])]),
    workload("w10", "orders", Some(6.3), &[("", &["id", "a", "b"])]),
    workload("w11", "sensors", Some(2.5), &[("", &["start", "d"])]),
    workload("w11k", "sensors", None, &[("", &["start", "rank", "sensor", "cents"])]),
    workload(
        "w12",
        "sensors",
        Some(13.0),
        &[("F", &["event_type", "seq"]), ("W", &["event_type", "start", "n", "total*100"])],
    ),
];

const fn workload(
    name: &'static str,
    set: &'static str,
    must: Option<f64>,
    rows: &'static [(&'static str, &'static [&'static str])],
) -> Workload {
    Workload { name, set, must, rows }
}

/// The workload of a name.
pub fn named(name: &str) -> Result<&'static Workload, String> {
    WORKLOADS.iter().find(|workload| workload.name == name).ok_or_else(|| {
        let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
        format!("there is no workload {name}; there are {}", names.join(" "))
    })
}
