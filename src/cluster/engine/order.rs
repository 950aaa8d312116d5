//! From an order to a program with its connectors, and to the sessions that it makes at brokers.
//!
//! Pure. Invariant: client ids are those of [`rarog_control::model::names`], so whoever gets the order next has the same.

use super::replica;
use crate::run::live::party::Party;
use crate::run::live::wiring::{Inlet, Outlet, Wiring, wire};
use rarog_connectors::client_id::End;
use rarog_connectors::mqtt::Permit;
use rarog_control::model::names;
use rarog_control::model::spec::ConnectorSpec;
use rarog_control::model::state::Client;
use rarog_control::wire::Order;
use rarog_lang::check::registered_connector;
use rarog_lang::eval::text::to_text;
use rarog_lang::plan::{Connector, Plan};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long brokers keep the sessions of a pipeline that nobody runs.
const SESSION_EXPIRY: Duration = Duration::from_secs(7 * 86_400);

/// The plan of an order, with the connectors of the cluster as they really are.
pub fn plan(order: &Order) -> Result<Plan, String> {
    let mut plan = (*order.plan).clone();
    for connector in &mut plan.connectors {
        if let Some(spec) = order.connectors.get(&*connector.name) {
            *connector = self::connector(spec)?;
        }
    }
    Ok(plan)
}

/// A connector of the cluster as programs have them.
pub fn connector(spec: &ConnectorSpec) -> Result<Connector, String> {
    let params = spec.params.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    let read = registered_connector(&spec.name, &spec.connector_type, params);
    read.map_err(|wrong| format!("connector {}: {}", spec.name, wrong.join("; ")))
}

/// Who the pipeline is.
pub fn party(order: &Order, permit: Option<Arc<dyn Permit>>) -> Party {
    let (id, incarnation) = (order.id, order.incarnation);
    let client_id = move |prefix: &str, connector: &str, end: End| {
        let end = match end {
            End::Source => names::End::Source,
            End::Sink => names::End::Sink,
        };
        names::client_id(id, incarnation, connector, end, Some(prefix).filter(|prefix| !prefix.is_empty()))
    };
    let subscribed = order.clients.iter().map(|(client, of)| (client.clone(), of.filters.clone())).collect();
    Party {
        client_id: Box::new(client_id),
        session_expiry: SESSION_EXPIRY,
        permit,
        subscribed,
        share: replica::share(order),
    }
}

/// The sessions that a pipeline makes at brokers, by client id.
pub fn clients(order: &Order) -> Result<BTreeMap<String, Client>, String> {
    let plan = plan(order)?;
    let Wiring { inlets, inlet_names, outlets, outlet_names, .. } = wire(&party(order, None), &plan)?;
    let connector = |name: &str| match order.connectors.get(name) {
        Some(spec) => Some(spec.clone()),
        None => plan.connectors.iter().find(|connector| *connector.name == *name).map(spec),
    };
    let sources = inlets.iter().zip(&inlet_names).filter_map(|(inlet, name)| {
        let Inlet::Mqtt { config, .. } = inlet else { return None };
        let filters = config.topics.iter().map(|(filter, _)| filter.clone()).collect();
        Some((config.mqtt.client_id.clone(), Client { connector: connector(name)?, filters }))
    });
    let sinks = outlets.iter().zip(&outlet_names).filter_map(|(outlet, name)| {
        let Outlet::Mqtt(config) = outlet else { return None };
        Some((config.mqtt.client_id.clone(), Client { connector: connector(name)?, filters: Vec::new() }))
    });
    Ok(sources.chain(sinks).collect())
}

/// A connector that a program declares, as one of the cluster.
fn spec(connector: &Connector) -> ConnectorSpec {
    let params = connector.params.iter().map(|(name, value)| (name.to_string(), to_text(value).to_string()));
    ConnectorSpec {
        name: connector.name.to_string(),
        connector_type: connector.kind.to_string(),
        params: params.collect(),
        description: None,
    }
}
