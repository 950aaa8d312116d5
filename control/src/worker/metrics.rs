//! What a worker counts, in the exposition format of Prometheus.

use super::Placed;
use crate::wire::{Metrics, PipelineMetrics};
use std::fmt::Write;

/// The text of `/metrics`.
pub fn text(metrics: &Metrics, placed: &[Placed], connected: bool) -> String {
    let mut text = String::new();
    let mut family = |name: &str, kind: &str, help: &str, samples: Vec<(String, u64)>| {
        // Writing to a string cannot fail.
        _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in samples {
            _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let alone = |value: u64| vec![(String::new(), value)];
    family("varpulis_events_total", "counter", "Records taken in.", alone(metrics.events_processed));
    family("varpulis_active_streams", "gauge", "Pipelines that run.", alone(metrics.pipelines_running.into()));
    let by_pipeline = |value: fn(&PipelineMetrics) -> u64| {
        let sample = |of: &PipelineMetrics| (labels(&[("stream", &of.pipeline.name)], of, placed), value(of));
        metrics.pipelines.iter().map(sample).collect()
    };
    family("varpulis_events_processed", "counter", "Records taken in by a pipeline.", by_pipeline(|of| of.events_in));
    family(
        "varpulis_output_events_total",
        "counter",
        "Records put out by a pipeline.",
        by_pipeline(|of| of.events_out),
    );
    let health = |of: &PipelineMetrics| {
        let sample = |connector: &crate::wire::ConnectorHealth| {
            let own = [("connector", &*connector.connector_name), ("type", &*connector.connector_type)];
            (labels(&own, of, placed), u64::from(connector.connected))
        };
        of.connectors.iter().map(sample).collect::<Vec<_>>()
    };
    let health = metrics.pipelines.iter().flat_map(health).collect();
    family("varpulis_connector_health", "gauge", "1: connected.", health);
    family("rarog_coordinator_connected", "gauge", "1: there is a socket to a coordinator.", alone(connected.into()));
    text
}

fn labels(own: &[(&str, &str)], of: &PipelineMetrics, placed: &[Placed]) -> String {
    let group = placed.iter().find(|placed| placed.pipeline == of.pipeline).map_or("", |placed| &placed.group_name);
    let all = own.iter().copied().chain([("group", group), ("pipeline", &*of.pipeline.name)]);
    let pairs: Vec<String> = all.map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    format!("{{{}}}", pairs.join(","))
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ids::{PipelineKey, Uuid};
    use crate::wire::ConnectorHealth;

    #[test]
    fn labels_are_escaped_and_all_families_have_a_type() {
        let connector = ConnectorHealth {
            connector_name: "a\"b".into(),
            connector_type: "mqtt".into(),
            connected: true,
            last_error: None,
            messages_received: 1,
            seconds_since_last_message: 0,
        };
        let pipeline = PipelineMetrics {
            pipeline: PipelineKey::new(Uuid::nil(), "p", 0),
            events_in: 2,
            events_out: 1,
            connectors: vec![connector],
        };
        let metrics = Metrics { events_processed: 2, pipelines_running: 1, pipelines: vec![pipeline] };
        let text = text(&metrics, &[], true);
        assert!(
            text.contains("varpulis_connector_health{connector=\"a\\\"b\",type=\"mqtt\",group=\"\",pipeline=\"p\"} 1")
        );
        assert!(text.contains("varpulis_events_total 2\n"));
        let families = text.lines().filter(|line| line.starts_with("# TYPE")).count();
        assert_eq!(families, 6, "{text}");
    }
}
