//! What the pipelines of an engine do, in numbers.

use super::Shared;
use super::keeper::Keeper;
use super::open::Meter;
use crate::run::live::link::{Link, Passage};
use rarog_control::model::state::Phase;
use rarog_control::wire::{ConnectorHealth, Metrics, PipelineMetrics};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What all pipelines do.
pub(super) fn read(shared: &Shared) -> Metrics {
    let keepers: Vec<Arc<Keeper>> = shared.held().keepers.values().cloned().collect();
    let running = keepers.iter().filter(|keeper| keeper.phase() == Phase::Running).count();
    let pipelines: Vec<PipelineMetrics> = keepers.iter().map(|keeper| of_pipeline(keeper)).collect();
    let present: u64 = pipelines.iter().map(|pipeline| pipeline.events_in).sum();
    Metrics {
        events_processed: shared.retired.load(Ordering::Relaxed) + present,
        pipelines_running: u32::try_from(running).unwrap_or(u32::MAX),
        pipelines,
    }
}

fn of_pipeline(keeper: &Keeper) -> PipelineMetrics {
    let live = keeper.live();
    let (meter, links) = live.as_ref().map_or((None, &[][..]), |(meter, links)| (Some(meter), &links[..]));
    PipelineMetrics {
        pipeline: keeper.pipeline.clone(),
        events_in: meter.map_or(0, |meter| meter.events_in()),
        events_out: meter.map_or(0, |meter| meter.events_out()),
        connectors: connectors(links, meter.map(|meter| &**meter)),
    }
}

/// Both ends of a connector count as one.
fn connectors(links: &[Link], meter: Option<&Meter>) -> Vec<ConnectorHealth> {
    let mut health: BTreeMap<&str, ConnectorHealth> = BTreeMap::new();
    for link in links {
        let of_name = health.entry(&link.name.connector).or_insert_with(|| ConnectorHealth {
            connector_name: link.name.connector.to_string(),
            connector_type: link.name.kind.into(),
            connected: true,
            last_error: None,
            messages_received: 0,
            seconds_since_last_message: 0,
        });
        let error = match &link.passage {
            Passage::Open => None,
            Passage::Waiting => Some(None),
            Passage::Superseded => Some(Some("superseded".to_owned())),
            Passage::Shut(reason) | Passage::Ended(reason) => Some(Some(reason.clone())),
        };
        of_name.connected &= error.is_none();
        of_name.last_error = of_name.last_error.take().or(error.flatten());
        of_name.messages_received += link.received;
    }
    let mut health: Vec<ConnectorHealth> = health.into_values().collect();
    for of_name in &mut health {
        let silence = meter.map(|meter| meter.silence(&of_name.connector_name, of_name.messages_received));
        of_name.seconds_since_last_message = silence.unwrap_or_default().as_secs();
    }
    health
}
