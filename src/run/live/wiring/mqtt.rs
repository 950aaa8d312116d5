//! Subscriptions and connections of brokers.
//!
//! Pure. Invariant: of the filters that a connection subscribes none covers another one, for a broker may send what both match
//! twice; and what the session has from earlier and is not wanted is unsubscribed.

use super::super::params::Params;
use super::super::party::{Party, Share};
use super::super::topic;
use super::{Inlet, Route, Wiring};
use rarog_connectors::client_id::End;
use rarog_connectors::mqtt::{Address, MqttConfig, Qos, SourceConfig};
use rarog_lang::plan::Connector;

/// The topic of a `.from` that names none.
const DEFAULT_TOPIC: &str = "varpulis/events/#";

impl Wiring {
    /// Adds a subscription to the connection of its connector; the source that its records belong to.
    pub(super) fn subscribe_mqtt(
        &mut self,
        party: &Party,
        connector: &Connector,
        params: Params<'_>,
        source: u32,
    ) -> Result<u32, String> {
        let filter = params.text("topic")?.unwrap_or_else(|| DEFAULT_TOPIC.into());
        let filter = match &party.share {
            Some(Share::OfGroup(group)) if !filter.starts_with("$share/") => format!("$share/{group}/{filter}"),
            _ => filter,
        };
        let qos = self.qos(connector, params, "messages that are on their way when a connection breaks are lost")?;
        let mqtt = connection(party, connector, params, End::Source)?;
        let expiry = params.duration("session_expiry")?;
        let found = self.inlets.iter_mut().find_map(|inlet| match inlet {
            Inlet::Mqtt { config, routes, .. } if config.mqtt.client_id == mqtt.client_id => Some((config, routes)),
            _ => None,
        });
        let Some((config, routes)) = found else {
            let mut config = SourceConfig::new(mqtt, []);
            config.topics.push((filter.clone(), qos));
            config.session_expiry = expiry.unwrap_or(party.session_expiry);
            let payloads = match &party.share {
                Some(Share::Payloads(payloads)) => Some(payloads.clone()),
                Some(Share::OfGroup(_)) | None => None,
            };
            self.inlets.push(Inlet::Mqtt { config, routes: vec![Route { filter, source }], payloads });
            return Ok(source);
        };
        config.session_expiry = expiry.map_or(config.session_expiry, |expiry| expiry.max(config.session_expiry));
        if let Some(index) = routes.iter().position(|route| route.filter == filter) {
            // One filter has one quality of service at the broker: the better one.
            let of_filter = &mut config.topics[index].1;
            *of_filter = qos.max(*of_filter);
            return Ok(routes[index].source);
        }
        config.topics.push((filter.clone(), qos));
        routes.push(Route { filter, source });
        Ok(source)
    }

    /// Subscribes filters that another one covers no longer: a broker may send two copies of what both match.
    pub(super) fn part_filters(&mut self) {
        for inlet in &mut self.inlets {
            let Inlet::Mqtt { config, routes, .. } = inlet else { continue };
            let covered: Vec<bool> = routes.iter().map(|route| is_covered(route, routes)).collect();
            let best = |filter: &str| {
                let under = config.topics.iter().filter(|(other, _)| topic::covers(filter, other));
                under.map(|(_, qos)| *qos).max().unwrap_or_default()
            };
            let wanted = routes.iter().zip(&covered).filter(|(_, covered)| !**covered);
            let wanted: Vec<(String, Qos)> =
                wanted.map(|(route, _)| (route.filter.clone(), best(&route.filter))).collect();
            let unwanted = routes.iter().zip(&covered).filter(|(_, covered)| **covered);
            config.unwanted = unwanted.map(|(route, _)| route.filter.clone()).collect();
            for (index, (a, _)) in wanted.iter().enumerate() {
                for (b, _) in wanted[..index].iter().filter(|(b, _)| topic::overlap(a, b)) {
                    self.warnings.push(format!("topics {b} and {a} overlap: brokers may send what both match twice"));
                }
            }
            config.topics = wanted;
        }
    }

    /// Unsubscribes what earlier runs of the program have subscribed and this one does not: a session goes on with it.
    pub(super) fn drop_filters(&mut self, party: &Party) {
        for inlet in &mut self.inlets {
            let Inlet::Mqtt { config, .. } = inlet else { continue };
            let before = party.subscribed.get(&config.mqtt.client_id).map_or(&[][..], Vec::as_slice);
            for filter in before {
                let is_wanted = config.topics.iter().any(|(wanted, _)| wanted == filter);
                if !is_wanted && !config.unwanted.contains(filter) {
                    config.unwanted.push(filter.clone());
                }
            }
        }
    }

    /// The quality of service that is asked for; a warning says what less than the best costs.
    pub(super) fn qos(&mut self, connector: &Connector, params: Params<'_>, cost: &str) -> Result<Qos, String> {
        let mut warn = |text: String| {
            if !self.warnings.contains(&text) {
                self.warnings.push(text);
            }
        };
        Ok(match params.int("qos", 0, 2)? {
            Some(0) => {
                warn(format!("connector {}: with qos 0 {cost}", connector.name));
                Qos::AtMostOnce
            }
            Some(2) => {
                warn(format!("connector {}: qos 2 is used as qos 1; repeats carry the same rarog-id", connector.name));
                Qos::AtLeastOnce
            }
            _ => Qos::AtLeastOnce,
        })
    }
}

fn is_covered(route: &Route, routes: &[Route]) -> bool {
    routes.iter().any(|other| other.filter != route.filter && topic::covers(&other.filter, &route.filter))
}

/// The connection of one end of a connector.
pub(super) fn connection(
    party: &Party,
    connector: &Connector,
    params: Params<'_>,
    end: End,
) -> Result<MqttConfig, String> {
    let of_connector = |text: String| format!("connector {}: {text}", connector.name);
    let port = params.int("port", 1, i64::from(u16::MAX))?.unwrap_or(1883) as u16;
    let names = ["host", "url", "brokers", "servers"];
    let given = names.iter().map(|name| params.list(name)).collect::<Result<Vec<_>, _>>()?;
    let given = given.into_iter().flatten().next();
    let addresses = given.ok_or_else(|| of_connector("give the broker as host, url, brokers or servers".into()))?;
    let addresses = Address::parse_list(&addresses, port).map_err(|error| of_connector(error.to_string()))?;
    if params.flag("tls")? || params.text("ca_file")?.is_some() {
        return Err(of_connector("this build has no TLS".into()));
    }
    match params.text("protocol")?.as_deref() {
        None | Some("5" | "5.0") => {}
        Some(other) => return Err(of_connector(format!("protocol {other} is not supported; brokers must speak 5"))),
    }
    let prefix = params.text("client_id")?.unwrap_or_default();
    let prefix = if prefix.is_empty() { prefix } else { format!("{prefix}-") };
    let addresses_first = addresses.first().cloned().ok_or_else(|| of_connector("no address".into()))?;
    let mut config = MqttConfig::new(addresses_first, (party.client_id)(&prefix, &connector.name, end));
    config.addresses = addresses;
    config.username = params.text("username")?;
    config.password = params.text("password")?;
    config.keep_alive = params.duration("keep_alive")?.unwrap_or(config.keep_alive);
    config.permit = party.permit.clone();
    Ok(config)
}

/// The connection by which a client's session at the broker of a connector is reached.
pub fn session(client_id: &str, connector: &Connector) -> Result<MqttConfig, String> {
    let params = Params { connector: &connector.name, call: &[], own: &connector.params };
    let mut config = connection(&Party::run(""), connector, params, End::Source)?;
    config.client_id = client_id.to_owned();
    Ok(config)
}
