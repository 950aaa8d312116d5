//! Somebody who asks coordinators for things, over REST.

use crate::coordinator;
use crate::net::Host;
use crate::world::World;
use hyper::Method;
use rarog_control::http_client::HttpClient;
use rarog_control::model::ids::NodeId;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

/// A request: at which coordinator, what.
pub struct Wish {
    pub node: NodeId,
    pub method: Method,
    pub path: String,
    pub body: Value,
}

/// Requests, in order.
pub type Wishes = Arc<Mutex<VecDeque<Wish>>>;

/// Time for an answer, s.
const ANSWER_S: u64 = 10;

/// Asks for ever.
pub async fn run(wishes: Wishes, host: Host, world: Arc<World>) -> turmoil::Result {
    let http = HttpClient::new(host.seams().net);
    loop {
        let next = wishes.lock().expect("nobody panics with it").pop_front();
        if let Some(Wish { node, method, path, body }) = next {
            let url = coordinator::url(node);
            let headers = [("content-type", "application/json")];
            let body = serde_json::to_vec(&body)?.into();
            let answer =
                http.request(&url, method.clone(), &path, &headers, body, Duration::from_secs(ANSWER_S)).await?;
            world.note(format_args!("{method} {path} at {url}: {}", answer.status));
            let text = String::from_utf8_lossy(&answer.body);
            assert!(answer.status.is_success(), "{method} {path}: {} {text}", answer.status);
            world.answered();
        }
        sleep(Duration::from_millis(10)).await;
    }
}
