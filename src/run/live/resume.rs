//! What a live pipeline takes over from a checkpoint: the places of its sources, by their names, and what its connections
//! had taken in.

use super::wiring::{Inlet, Outlet, Wiring};
use crate::run::checkpoint::{
    Checkpoints, Input, LivePosition, Resumed, Settings, SourcePosition, StandardOutput, cut_back,
};
use crate::run::talk::Talk;
use rarog_dataflow::rt::Start;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Where a live pipeline begins.
#[derive(Default)]
pub struct Beginning {
    /// Its checkpoints, if it has some.
    pub checkpoints: Option<Arc<Checkpoints>>,
    /// For the engine.
    pub start: Start,
    /// Where the sources of the plan stand, in order.
    pub position: LivePosition,
    /// Standard output, if checkpoints tell how long it is.
    pub standard: Option<Arc<StandardOutput>>,
}

impl Beginning {
    /// At the beginning, without checkpoints.
    pub fn fresh(wiring: &Wiring) -> Beginning {
        let fresh = |name: String| SourcePosition { name, ..SourcePosition::default() };
        let sources = wiring.source_names().into_iter().map(fresh).collect();
        Beginning { position: LivePosition { sources, ..LivePosition::default() }, ..Beginning::default() }
    }
}

/// Opens the checkpoints of a pipeline and goes back to the last one. `several`: others write to standard output, too.
pub fn begin(
    settings: Option<&Settings>,
    name: &str,
    wiring: &mut Wiring,
    several: bool,
    talk: &Talk,
) -> Result<Beginning, String> {
    let fresh = Beginning::fresh(wiring);
    let Some(settings) = settings else { return Ok(fresh) };
    let position = fresh.position;
    let is_stdin = |inlet: &Inlet| matches!(inlet, Inlet::File { path, .. } if path.as_os_str() == "-");
    if wiring.inlets.iter().any(is_stdin) {
        return Err(
            "standard input cannot be read again, so there is nothing to go on from; leave out --checkpoint-dir".into(),
        );
    }
    let standard = Arc::new(StandardOutput::open());
    let (checkpoints, resumed) = Checkpoints::open(settings, name, &wiring.plan, standard.clone(), talk)?;
    let (checkpoints, standard) = (Some(checkpoints), (!several).then_some(standard));
    let Some(resumed) = resumed else {
        return Ok(Beginning { checkpoints, position, start: Start::default(), standard });
    };
    take_over(resumed, name, wiring, Beginning { checkpoints, position, start: Start::default(), standard }, talk)
}

/// Goes on from what a pipeline was released with, or begins anew; it can be released again.
pub fn go_on(
    released: Option<&[u8]>,
    name: &str,
    incarnation: u64,
    wiring: &mut Wiring,
    talk: &Talk,
) -> Result<Beginning, String> {
    let (checkpoints, resumed) = Checkpoints::at_end(name, incarnation, &wiring.plan, released, talk)?;
    let fresh = Beginning { checkpoints: Some(checkpoints), ..Beginning::fresh(wiring) };
    match resumed {
        None => Ok(fresh),
        Some(resumed) => take_over(resumed, name, wiring, fresh, talk),
    }
}

/// Where a program begins that goes on: its sources find their places by their names.
fn take_over(
    resumed: Resumed,
    name: &str,
    wiring: &mut Wiring,
    fresh: Beginning,
    talk: &Talk,
) -> Result<Beginning, String> {
    let (names, Beginning { checkpoints, position, standard, .. }) = (wiring.source_names(), fresh);
    let Resumed { mut start, input, outputs, seen, .. } = resumed;
    let Input::Live(saved) = input else {
        return Err(format!(
            "the checkpoints of {name} are those of a run with --input; give another --name or --checkpoint-dir"
        ));
    };
    if saved.ended {
        return Err("all inputs were read to their ends before; --forget begins anew".into());
    }
    let places: Vec<Option<usize>> =
        names.iter().map(|name| saved.sources.iter().position(|source| source.name == *name)).collect();
    for (name, place) in names.iter().zip(&places) {
        if place.is_none() {
            talk.say(&format!("  new source, read from where it stands: {name}"));
        }
    }
    for source in saved.sources.iter().filter(|source| !names.contains(&source.name)) {
        talk.say(&format!("  a source that is not read any more: {}", source.name));
    }
    start.sources = Some(Arc::new(places.iter().map(|place| place.map(|place| place as u32)).collect()));
    let sources = places.iter().zip(position.sources);
    let sources = sources.map(|(place, fresh)| place.map_or(fresh, |place| saved.sources[place].clone())).collect();
    for inlet in &mut wiring.inlets {
        let Inlet::Mqtt { config, .. } = inlet else { continue };
        if let Some(index) = saved.clients.iter().position(|client| *client == config.mqtt.client_id) {
            config.seen = seen.get(index).cloned().unwrap_or_default();
        }
    }
    for outlet in &wiring.outlets {
        let Outlet::File(path) = outlet else { continue };
        let to = outputs.iter().find(|output| Path::new(&output.path) == path);
        let Some(Ok(file)) = to.map(|_| File::options().write(true).open(path)) else { continue };
        if let Some(Err(note)) = to.map(|to| cut_back(&file, &path.display().to_string(), to)) {
            talk.say(&note);
        }
    }
    Ok(Beginning { checkpoints, start, position: LivePosition { sources, ..saved }, standard })
}
