//! What is done with the folder of a stopped worker that belongs to another cluster.

use crate::run::Failure;
use crate::stdout;
use rarog_control::agent::store::{Kept, Store};
use rarog_control::seams::real;
use std::path::Path;

/// Keeps the placements, and forgets whose they are: the next cluster that the worker calls may have it.
pub fn adopt(folder: &Path) -> Result<(), Failure> {
    let store = open(folder)?;
    let kept = store.load().map_err(cannot)?;
    let of = kept.cluster.map_or_else(|| "no cluster".to_owned(), |cluster| format!("cluster {cluster}"));
    store.save(&Kept { cluster: None, ..kept }).map_err(cannot)?;
    stdout::print(&format!("{} was of {of} and may join any now\n", folder.display()));
    Ok(())
}

/// Forgets the placements.
pub fn reset(folder: &Path) -> Result<(), Failure> {
    open(folder)?.clear().map_err(cannot)?;
    stdout::print(&format!("{} holds no placements now\n", folder.display()));
    Ok(())
}

fn open(folder: &Path) -> Result<Store, Failure> {
    if !folder.is_dir() {
        return Err(Failure::usage(format!("there is no folder {}; give the worker's --state-dir", folder.display())));
    }
    let seams = real::seams(folder).map_err(|error| Failure::usage(error.to_string()))?;
    Ok(Store::new(seams.disk))
}

fn cannot(error: std::io::Error) -> Failure {
    Failure::failed(format!("cannot change the worker's state: {error}"))
}
