//! What waits to be sent to a worker.
//!
//! Two bounded queues. Invariant: nothing here grows without limit: answers to a worker that does not read them end its socket,
//! orders are made only when there is room for them.

use axum::extract::ws::{Message, WebSocket};
use futures_util::SinkExt;
use futures_util::stream::SplitSink;
use serde::Serialize;
use std::time::Duration;
use tokio::sync::mpsc::{self, OwnedPermit, Receiver, Sender};
use tokio::time::timeout;

/// Answers and pings that may wait.
const ANSWERS_LIMIT: usize = 1024;

/// Orders that may wait.
const ORDERS_LIMIT: usize = 16;

/// Time in which the network has to take one frame, s.
const FRAME_S: u64 = 30;

/// The end that is filled.
#[derive(Debug)]
pub(super) struct Outbox {
    answers: Sender<Message>,
    orders: Sender<Message>,
}

/// The end that is sent.
#[derive(Debug)]
pub(super) struct Outgoing {
    answers: Receiver<Message>,
    orders: Receiver<Message>,
}

/// A worker does not read what it is sent.
#[derive(Debug)]
pub(super) struct Full;

pub(super) fn outbox() -> (Outbox, Outgoing) {
    let (answers, answers_out) = mpsc::channel(ANSWERS_LIMIT);
    let (orders, orders_out) = mpsc::channel(ORDERS_LIMIT);
    (Outbox { answers, orders }, Outgoing { answers: answers_out, orders: orders_out })
}

impl Outbox {
    /// Queues an answer.
    pub(super) fn answer<T: Serialize>(&self, frame: &T) -> Result<(), Full> {
        self.answers.try_send(text(frame)).map_err(|_| Full)
    }

    /// Waits for room for an order; `None`: nothing is sent any more.
    pub(super) fn room(&self) -> impl Future<Output = Option<OwnedPermit<Message>>> + use<> {
        let orders = self.orders.clone();
        async move { orders.reserve_owned().await.ok() }
    }
}

impl Outgoing {
    /// Sends until an error or the end of the filling end, and says which.
    pub(super) async fn send(mut self, mut sink: SplitSink<WebSocket, Message>) -> String {
        loop {
            let next = tokio::select! {
                biased;
                answer = self.answers.recv() => answer,
                order = self.orders.recv() => order,
            };
            let Some(frame) = next else { break };
            match timeout(Duration::from_secs(FRAME_S), sink.send(frame)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error.to_string(),
                Err(_) => return format!("it took nothing for {FRAME_S} s"),
            }
        }
        match timeout(Duration::from_secs(1), sink.close()).await {
            Ok(Err(error)) => error.to_string(),
            _ => "closed here".into(),
        }
    }
}

/// A frame as it is sent.
pub(super) fn text<T: Serialize>(frame: &T) -> Message {
    Message::text(serde_json::to_string(frame).expect("frames hold nothing that cannot be written as JSON"))
}
