//! Who may do what: keys with roles, in the header `x-api-key`.
//!
//! Without keys everybody is admin. Invariant: how long a comparison takes says nothing about the keys: every given key is
//! compared with every known one, each in constant time.

use super::error::ApiError;
use crate::model::secret::Secret;
use axum::http::{HeaderMap, Method};
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// Name of the header that holds a key.
pub const KEY_HEADER: &str = "x-api-key";

/// Keys of one coordinator at the most.
pub const KEYS: usize = 1000;

/// What the holder of a key may do: each role may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Look.
    #[serde(alias = "read", alias = "readonly", alias = "user")]
    Viewer,
    /// Deploy and move.
    #[serde(alias = "write", alias = "deploy")]
    Operator,
    /// Remove.
    #[serde(alias = "root", alias = "superadmin")]
    Admin,
}

impl Role {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// The keys of a cluster.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    known: Vec<Key>,
    /// May those who show none read all the same?
    anonymous: bool,
}

#[derive(Clone, Debug, Deserialize)]
struct Key {
    key: Secret,
    role: Role,
    /// For people.
    #[serde(default)]
    name: Option<String>,
}

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The text is not in the form of a list of keys.
    #[error(
        "the keys cannot be read: {0}; expected {{\"keys\":[{{\"key\":\"…\",\"role\":\"viewer|operator|admin\"}}]}}"
    )]
    Form(#[from] serde_json::Error),
    /// A key is empty.
    #[error("key {0} of the list is empty: give it characters, or take it out")]
    Empty(usize),
    /// There are too many.
    #[error("there are {0} keys; the limit is {KEYS}")]
    TooMany(usize),
}

impl Keys {
    /// None: everybody is admin.
    pub fn none() -> Keys {
        Keys::default()
    }

    /// Adds a key that may do everything.
    pub fn with_admin(mut self, key: &str) -> Keys {
        self.known.push(Key { key: Secret::new(key), role: Role::Admin, name: None });
        self
    }

    /// Adds the keys of a file: `{"keys":[{"key":"…","role":"operator","name":"ci"}]}`.
    ///
    /// ```
    /// use rarog_control::coordinator::auth::{Keys, Role};
    ///
    /// let keys = Keys::none().with_json(r#"{"keys":[{"key":"k","role":"deploy"}]}"#).unwrap();
    /// assert_eq!(keys.role_of(Some("k")), Some(Role::Operator));
    /// assert_eq!(keys.role_of(Some("K")), None);
    /// ```
    pub fn with_json(mut self, text: &str) -> Result<Keys, KeysError> {
        #[derive(Deserialize)]
        struct File {
            keys: Vec<Key>,
        }
        let file: File = serde_json::from_str(text)?;
        if let Some(at) = file.keys.iter().position(|key| key.key.expose().is_empty()) {
            return Err(KeysError::Empty(at + 1));
        }
        self.known.extend(file.keys);
        if self.known.len() > KEYS { Err(KeysError::TooMany(self.known.len())) } else { Ok(self) }
    }

    /// Lets those who show no key read all the same.
    pub fn with_anonymous_viewers(self) -> Keys {
        Keys { anonymous: true, ..self }
    }

    /// Are there none?
    pub fn is_open(&self) -> bool {
        self.known.is_empty()
    }

    /// The first key that may do everything: what coordinators show each other.
    pub fn admin(&self) -> Option<&Secret> {
        self.known.iter().find(|key| key.role == Role::Admin).map(|key| &key.key)
    }

    /// What somebody may do who shows this key; `None`: nothing.
    pub fn role_of(&self, given: Option<&str>) -> Option<Role> {
        if self.is_open() {
            return Some(Role::Admin);
        }
        let Some(given) = given.map(str::as_bytes) else { return self.anonymous.then_some(Role::Viewer) };
        let mut found = None;
        for known in &self.known {
            if bool::from(known.key.expose().as_bytes().ct_eq(given)) {
                found = found.max(Some(known.role));
            }
        }
        found
    }

    /// Lets a request pass, or says why not.
    pub fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), ApiError> {
        let Some(needed) = needed(method, path) else { return Ok(()) };
        let given = headers.get(KEY_HEADER).and_then(|value| value.to_str().ok());
        let role = self.role_of(given).ok_or_else(ApiError::unauthorized)?;
        if role < needed { Err(ApiError::forbidden(role.name(), needed.name())) } else { Ok(()) }
    }

    /// The names of the keys, for the log at the start.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.known.iter().map(|key| key.name.as_deref().unwrap_or("(no name)"))
    }
}

/// Where coordinators talk among themselves; they check their key there.
const AMONG_COORDINATORS: [&str; 2] = ["/raft/", "/internal/"];

/// Paths that need no key: probes, and sockets of workers, which show theirs in their first frame.
const OPEN: [&str; 5] = ["/health", "/ready", "/metrics", crate::wire::AGENT_PATH, super::hub::FRAMES_PATH];

/// Changes nothing, though it is a POST.
const ASKS: [&str; 3] =
    ["/api/v1/cluster/validate", "/api/v1/cluster/pipeline/graph", "/api/v1/cluster/pipeline/generate"];

/// Is it for other coordinators?
pub fn is_among_coordinators(path: &str) -> bool {
    AMONG_COORDINATORS.iter().any(|start| path.starts_with(start))
}

/// The role that a request needs; `None`: no key at all.
fn needed(method: &Method, path: &str) -> Option<Role> {
    let is_open = OPEN.contains(&path) || path.starts_with("/health/") || is_among_coordinators(path);
    if is_open || method == Method::OPTIONS {
        return None;
    }
    let reads = method == Method::GET || method == Method::HEAD || ASKS.contains(&path);
    let admin = method == Method::DELETE || path.ends_with("/rescale");
    Some(match (reads, admin) {
        (true, _) => Role::Viewer,
        (false, true) => Role::Admin,
        (false, false) => Role::Operator,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_have_other_names() {
        let names = |role| match role {
            Role::Viewer => ["viewer", "read", "readonly", "user"].as_slice(),
            Role::Operator => &["operator", "write", "deploy"],
            Role::Admin => &["admin", "root", "superadmin"],
        };
        for role in [Role::Viewer, Role::Operator, Role::Admin] {
            for name in names(role) {
                let text = format!(r#"{{"keys":[{{"key":"k","role":"{name}"}}]}}"#);
                let keys = Keys::none().with_json(&text).expect("the role is known");
                assert_eq!(keys.role_of(Some("k")), Some(role), "{name}");
            }
        }
    }

    #[test]
    fn wrong_files_are_refused() {
        for wrong in
            ["", "{}", r#"{"keys":[{"key":"k","role":"king"}]}"#, r#"{"keys":[{"key":"","role":"admin"}]}"#, "[]"]
        {
            assert!(Keys::none().with_json(wrong).is_err(), "{wrong}");
        }
        let entry = r#"{"key":"k","role":"admin"}"#;
        let many = format!("{{\"keys\":[{}]}}", vec![entry; KEYS + 1].join(","));
        assert!(matches!(Keys::none().with_json(&many), Err(KeysError::TooMany(_))));
    }

    #[test]
    fn each_request_needs_its_role() {
        let cluster = |path: &str| format!("/api/v1/cluster/{path}");
        for (method, path, role) in [
            (Method::GET, "/health".into(), None),
            (Method::GET, "/health/live".into(), None),
            (Method::GET, "/ready".into(), None),
            (Method::GET, "/metrics".into(), None),
            (Method::GET, "/raft/metrics".into(), None),
            (Method::GET, cluster("agent"), None),
            (Method::GET, cluster("workers"), Some(Role::Viewer)),
            (Method::GET, cluster("prometheus"), Some(Role::Viewer)),
            (Method::POST, cluster("validate"), Some(Role::Viewer)),
            (Method::POST, cluster("pipeline-groups"), Some(Role::Operator)),
            (Method::PUT, cluster("connectors/a"), Some(Role::Operator)),
            (Method::POST, cluster("workers/w/drain"), Some(Role::Operator)),
            (Method::DELETE, cluster("workers/w"), Some(Role::Admin)),
            (Method::POST, cluster("rescale"), Some(Role::Admin)),
            (Method::POST, "/raft/append".into(), None),
            (Method::POST, "/unknown".into(), Some(Role::Operator)),
        ] {
            assert_eq!(needed(&method, &path), role, "{method} {path}");
        }
    }

    #[test]
    fn the_best_of_equal_keys_counts() {
        let text = r#"{"keys":[{"key":"k","role":"viewer"},{"key":"k","role":"admin"},{"key":"l","role":"viewer"}]}"#;
        let keys = Keys::none().with_json(text).expect("it is right");
        assert_eq!(keys.role_of(Some("k")), Some(Role::Admin));
        assert_eq!(keys.role_of(Some("l")), Some(Role::Viewer));
        assert_eq!((keys.role_of(Some("")), keys.role_of(None)), (None, None));
        assert_eq!(Keys::none().role_of(None), Some(Role::Admin));
        assert!(!format!("{keys:?}").contains("\"k\""), "keys do not show");
    }
}
