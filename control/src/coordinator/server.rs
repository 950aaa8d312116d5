//! Takes connections and serves HTTP/1.1 over them, with upgrades.
//!
//! It runs over any [`Listener`], so over simulated sockets as well. Invariants: there are never more connections than the limit,
//! those aside that became sockets of workers, which belong to the hub then; who sends nothing is cut off.

use super::limits::{CONNECTIONS, HEAD_TIMEOUT};
use crate::seams::{BoxStream, Listener};
use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tower::ServiceExt;

/// How long to wait after a connection could not be taken, ms: mostly there are too many open files.
const ACCEPT_PAUSE_MS: u64 = 50;

/// Where a request comes from, among its extensions.
#[derive(Clone, Debug)]
pub struct Peer(Arc<str>);

impl Peer {
    /// `host:port`.
    pub fn new(address: &str) -> Peer {
        Peer(address.into())
    }

    /// The address without its port.
    pub fn ip(&self) -> &str {
        self.0.rsplit_once(':').map_or(&self.0, |(ip, _)| ip)
    }
}

/// Serves until `stop` is true, then ends: requests under way are answered, for a while.
pub async fn serve(mut listener: Box<dyn Listener>, router: Router, mut stop: watch::Receiver<bool>, grace: Duration) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        // Nobody is taken from the queue before there is room.
        let permit = tokio::select! {
            permit = room.clone().acquire_owned() => permit.expect("it is never closed"),
            () = stopped(&mut stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (router, stop) = (router.clone(), stop.clone());
                connections.spawn(async move {
                    connection(stream, Peer::new(&peer), router, stop).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(ACCEPT_PAUSE_MS)).await;
            }
        }
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    let all = async { while connections.join_next().await.is_some() {} };
    // What is left then is cut with the set.
    _ = tokio::time::timeout(grace, all).await;
}

/// Comes back when it is time to stop, or when there is nobody who could say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    _ = stop.wait_for(|stop| *stop).await;
}

async fn connection(stream: BoxStream, peer: Peer, router: Router, mut stop: watch::Receiver<bool>) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request)
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
