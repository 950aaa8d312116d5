//! From the state of a pipeline's connections to its phase.
//!
//! Pure: time is an argument. Invariant: a pipeline is running only while every one of its connections stands.

use crate::run::live::link::{Link, LinkName, Passage};
use rarog_control::model::state::Phase;
use std::time::Duration;

/// How long a pipeline may take to connect before that is said of it.
pub const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// The phase of a pipeline that was `before` in this one and has been there for so long.
pub fn phase(links: &[Link], before: &Phase, age: Duration) -> Phase {
    let reason = |of: fn(&Passage) -> Option<&str>| {
        links.iter().find_map(|link| of(&link.passage).map(|why| format!("{}: {why}", shown(&link.name))))
    };
    let shut = reason(|passage| match passage {
        Passage::Shut(why) | Passage::Ended(why) => Some(why),
        Passage::Superseded => Some("it belongs to a newer placement"),
        Passage::Waiting | Passage::Open => None,
    });
    let waits = reason(|passage| (*passage == Passage::Waiting).then_some("it is not connected so far"));
    match shut.or(waits) {
        None => Phase::Running,
        Some(_) if *before == Phase::Deploying && age < CONNECT_LIMIT => Phase::Deploying,
        Some(reason) => Phase::Degraded { reason },
    }
}

/// `mqtt_1 (in)`.
fn shown(name: &LinkName) -> String {
    format!("{} ({})", name.connector, if name.comes_in { "in" } else { "out" })
}

/// Has a newer placement taken one of them over?
pub fn are_superseded(links: &[Link]) -> bool {
    links.iter().any(|link| link.passage == Passage::Superseded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn links(passages: &[Passage]) -> Vec<Link> {
        let link = |passage: &Passage| Link {
            name: LinkName { connector: "c".into(), kind: "mqtt", comes_in: true },
            passage: passage.clone(),
            received: 0,
        };
        passages.iter().map(link).collect()
    }

    #[test]
    fn a_pipeline_runs_while_all_its_connections_stand() {
        let (young, old) = (Duration::from_secs(1), CONNECT_LIMIT);
        let degraded = |reason: &str| Phase::Degraded { reason: reason.into() };
        let shut = || Passage::Shut("refused".into());
        for (passages, before, age, after) in [
            (vec![], Phase::Deploying, young, Phase::Running),
            (vec![Passage::Open, Passage::Open], Phase::Deploying, young, Phase::Running),
            (vec![Passage::Open, Passage::Waiting], Phase::Deploying, young, Phase::Deploying),
            (vec![Passage::Waiting], Phase::Deploying, old, degraded("c (in): it is not connected so far")),
            (vec![shut()], Phase::Deploying, young, Phase::Deploying),
            (vec![Passage::Waiting, shut()], Phase::Deploying, old, degraded("c (in): refused")),
            (vec![shut()], Phase::Running, young, degraded("c (in): refused")),
            (vec![Passage::Open], degraded("c (in): refused"), old, Phase::Running),
        ] {
            assert_eq!(phase(&links(&passages), &before, age), after, "{passages:?}");
        }
        assert!(are_superseded(&links(&[Passage::Open, Passage::Superseded])));
    }
}
