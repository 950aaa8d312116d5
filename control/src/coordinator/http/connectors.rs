//! Connectors that programs may name without declaring them.
//!
//! Storing the same again changes nothing; another one under the same name is refused, so that two scripts that disagree do not
//! overwrite each other. Invariant: what is wrong is refused before anything is replicated, and secrets are never shown.

use super::extract::{Params, Payload, Segments};
use super::page::Page;
use super::{Context, Rest, answer};
use crate::coordinator::compile::registered;
use crate::coordinator::error::ApiError;
use crate::coordinator::limits::{CONNECTOR_PARAMS, CONNECTORS, NAME_CHARS, check_text};
use crate::model::command::{Change, Outcome};
use crate::model::spec::{ConnectorSpec, HIDDEN, SECRET_PARAMS};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn routes() -> Router<Arc<Rest>> {
    Router::new()
        .route("/connectors", get(list).post(create))
        .route("/connectors/{name}", get(show).put(update).delete(remove))
}

/// A connector in an answer.
#[derive(Serialize)]
struct Shown {
    name: String,
    connector_type: String,
    params: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

impl Shown {
    fn of(spec: &ConnectorSpec) -> Shown {
        let ConnectorSpec { name, connector_type, params, description } = spec.redacted();
        Shown { name, connector_type, params, description }
    }
}

/// What a change of a connector holds; the name is in the path.
#[derive(Deserialize)]
struct Update {
    name: Option<String>,
    connector_type: String,
    #[serde(default)]
    params: BTreeMap<String, String>,
    description: Option<String>,
}

async fn list(State(rest): Context, Params(page): Params<Page>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let connectors = reading.state.connectors.values();
    Ok(reading.answer(page.of("connectors", connectors, |connector| Shown::of(&connector.spec))?))
}

async fn show(State(rest): Context, Segments(name): Segments<String>) -> Result<Response, ApiError> {
    let reading = rest.read().await;
    let connector = reading.state.connectors.get(&name).ok_or_else(|| ApiError::no_connector(&name))?;
    Ok(reading.answer(Shown::of(&connector.spec)))
}

async fn create(State(rest): Context, Payload(spec): Payload<ConnectorSpec>) -> Result<Response, ApiError> {
    check(&spec).map_err(ApiError::connector)?;
    if rest.state().connectors.len() >= CONNECTORS {
        return Err(ApiError::connector(format!("the cluster has {CONNECTORS} connectors, which is the limit")));
    }
    let shown = Shown::of(&spec);
    let outcome = rest.submit(Change::PutConnector { spec, replace: false }).await?;
    Ok(answer(if outcome == Outcome::Unchanged { StatusCode::OK } else { StatusCode::CREATED }, shown))
}

async fn update(
    State(rest): Context,
    Segments(name): Segments<String>,
    Payload(update): Payload<Update>,
) -> Result<Response, ApiError> {
    if update.name.is_some_and(|other| other != name) {
        return Err(ApiError::connector("the name in the body is not the one in the path: a connector keeps its name"));
    }
    let Update { connector_type, params, description, .. } = update;
    let mut spec = ConnectorSpec { name, connector_type, params, description };
    let reading = rest.read().await;
    let stored = reading.state.connectors.get(&spec.name).ok_or_else(|| ApiError::no_connector(&spec.name))?;
    keep_hidden(&mut spec, &stored.spec);
    check(&spec).map_err(ApiError::connector)?;
    let shown = Shown::of(&spec);
    rest.submit(Change::PutConnector { spec, replace: true }).await?;
    Ok(answer(StatusCode::OK, shown))
}

async fn remove(State(rest): Context, Segments(name): Segments<String>) -> Result<Response, ApiError> {
    rest.submit(Change::RemoveConnector { name }).await?;
    Ok(answer(StatusCode::OK, json!({"deleted": true})))
}

/// Whoever sends back what was shown does not know the secrets, and means those that are stored.
fn keep_hidden(spec: &mut ConnectorSpec, stored: &ConnectorSpec) {
    for name in SECRET_PARAMS {
        if let (Some(value), Some(known)) = (spec.params.get_mut(name), stored.params.get(name))
            && value == HIDDEN
        {
            value.clone_from(known);
        }
    }
}

/// What is wrong with a connector.
fn check(spec: &ConnectorSpec) -> Result<(), String> {
    let is_name = spec.name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && spec.name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !is_name {
        return Err("the name of a connector is a letter or _, then letters, digits and _".into());
    }
    if spec.name.len() > NAME_CHARS {
        return Err(format!("the name of the connector has {} characters; the limit is {NAME_CHARS}", spec.name.len()));
    }
    if spec.params.len() > CONNECTOR_PARAMS {
        return Err(format!("there are {} parameters; the limit is {CONNECTOR_PARAMS}", spec.params.len()));
    }
    for (name, value) in &spec.params {
        check_text("the name of a parameter", name)?;
        check_text(&format!("parameter {name}"), value)?;
    }
    check_text("the description", spec.description.as_deref().unwrap_or_default())?;
    registered(spec).map(drop).map_err(|wrong| format!("connector {}: {}", spec.name, wrong.join("; ")))
}
