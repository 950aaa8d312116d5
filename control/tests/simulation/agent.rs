//! A simulated worker: an engine that keeps books, and a socket to a coordinator.

use crate::books::Books;
use crate::coordinator;
use crate::net::Host;
use crate::world::World;
use futures_util::{SinkExt, StreamExt};
use rarog_control::agent::engine::{Assignment, Ending, Engine, Event, Warrant};
use rarog_control::model::ids::{EpochNumber, NodeId, PipelineKey, Uuid, WorkerId};
use rarog_control::model::state::{Capacity, Phase};
use rarog_control::seams::{Net, Pending};
use rarog_control::wire::{AGENT_PATH, Held, Hello, PROTOCOL, ToAgent, ToCoordinator, Verdict};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

/// Silence of a coordinator after which another one is called, ms.
const SILENCE_MS: u64 = 700;

/// Time for which a welcome is waited, ms.
const WELCOME_MS: u64 = 3_000;

/// Pause before the next call, ms.
const PAUSE_MS: u64 = 50;

type Held_ = BTreeMap<PipelineKey, (EpochNumber, Phase)>;

/// A question for the owner, on its way.
struct Question(PipelineKey, EpochNumber, oneshot::Sender<Verdict>);

struct Asking(mpsc::UnboundedSender<Question>);

impl Warrant for Asking {
    fn owner(&self, pipeline: &PipelineKey, epoch: EpochNumber) -> Pending<'static, Verdict> {
        let (answer, answered) = oneshot::channel();
        let sent = self.0.send(Question(pipeline.clone(), epoch, answer));
        Box::pin(async move {
            match sent {
                Ok(()) => match timeout(Duration::from_secs(1), answered).await {
                    Ok(Ok(verdict)) => verdict,
                    _ => Verdict::Unknown,
                },
                Err(_) => Verdict::Unknown,
            }
        })
    }
}

struct Worker {
    name: String,
    instance: Uuid,
    net: Arc<dyn Net>,
    engine: Arc<Books>,
    held: Arc<Mutex<Held_>>,
    events: mpsc::UnboundedReceiver<Event>,
    questions: mpsc::UnboundedReceiver<Question>,
    warrant: Arc<dyn Warrant>,
    cluster: Option<Uuid>,
}

/// Runs until the host crashes.
pub async fn run(name: String, nodes: Vec<NodeId>, host: Host, world: Arc<World>) -> turmoil::Result {
    let seams = host.seams();
    let instance = Uuid::from_u64_pair(seams.entropy.next_u64(), seams.entropy.next_u64());
    let engine = Arc::new(Books::new(&name, world.clone(), seams.entropy.next_u64()));
    let (happened, events) = mpsc::unbounded_channel();
    engine.listen(Box::new(move |event| drop(happened.send(event))));
    let (asking, questions) = mpsc::unbounded_channel();
    let warrant = Arc::new(Asking(asking));
    let mut worker = Worker {
        name,
        instance,
        net: seams.net,
        engine,
        held: Arc::default(),
        events,
        questions,
        warrant,
        cluster: None,
    };
    for turn in 0.. {
        let node = nodes[turn % nodes.len()];
        let reason = worker.session(node).await.unwrap_or_else(|error| error.to_string());
        world.note(format_args!("{} leaves {}: {reason}", worker.name, coordinator::name(node)));
        sleep(Duration::from_millis(PAUSE_MS)).await;
    }
    Ok(())
}

impl Worker {
    async fn session(&mut self, node: NodeId) -> Result<String, Box<dyn std::error::Error>> {
        let address = coordinator::url(node).replace("http://", "");
        let connecting = self.net.connect(&address);
        let stream = timeout(Duration::from_millis(SILENCE_MS), connecting).await??;
        let upgrading = tokio_tungstenite::client_async(format!("ws://{address}{AGENT_PATH}"), stream);
        let (mut socket, _) = timeout(Duration::from_millis(SILENCE_MS), upgrading).await??;
        socket.send(frame(&ToCoordinator::Hello(self.hello()))).await?;
        let mut patience = WELCOME_MS;
        let mut waiting: BTreeMap<u64, oneshot::Sender<Verdict>> = BTreeMap::new();
        let mut next = 0;
        let mut ping = tokio::time::interval(Duration::from_millis(250));
        let silence = sleep(Duration::from_millis(patience));
        tokio::pin!(silence);
        loop {
            tokio::select! {
                biased;
                received = socket.next() => {
                    let text = received.ok_or("the socket ended")??.into_text()?;
                    if text.is_empty() {
                        return Ok("the socket was closed".into());
                    }
                    match serde_json::from_str(&text)? {
                        ToAgent::Welcome { cluster, .. } => { self.cluster = Some(cluster); patience = SILENCE_MS; }
                        ToAgent::Refused { code, message } => return Ok(format!("{code}: {message}")),
                        ToAgent::Ping { number } => socket.send(frame(&ToCoordinator::Pong { number, metrics: self.engine.metrics() })).await?,
                        ToAgent::Pong { has_quorum: false, .. } => return Ok("it has no majority".into()),
                        ToAgent::Owned { request, verdict } => if let Some(answer) = waiting.remove(&request) { let _ = answer.send(verdict); },
                        ToAgent::Bury { sessions } => for (client, connector) in &sessions { self.engine.bury(client, connector) },
                        ToAgent::Pong { .. } | ToAgent::Recorded { .. } => {}
                        order => self.order(order),
                    }
                    silence.as_mut().reset(tokio::time::Instant::now() + Duration::from_millis(patience));
                }
                Some(event) = self.events.recv() => if let Some(report) = self.happened(event) { socket.send(frame(&report)).await?; },
                Some(Question(pipeline, epoch, answer)) = self.questions.recv(), if patience == SILENCE_MS => {
                    next += 1;
                    waiting.insert(next, answer);
                    socket.send(frame(&ToCoordinator::Owner { request: next, pipeline, epoch })).await?;
                }
                _ = ping.tick() => if patience == SILENCE_MS { socket.send(frame(&ToCoordinator::Ping { number: 0 })).await?; },
                () = &mut silence => return Ok(format!("nothing was heard for {patience} ms")),
            }
        }
    }

    fn hello(&self) -> Hello {
        let held = self.held.lock().expect("nobody panics with it");
        let held: Vec<Held> = held
            .iter()
            .map(|(pipeline, (epoch, phase))| Held { pipeline: pipeline.clone(), epoch: *epoch, phase: phase.clone() })
            .collect();
        Hello {
            protocol: PROTOCOL,
            worker: WorkerId::new(&self.name),
            instance: self.instance,
            cluster: self.cluster.filter(|_| !held.is_empty()),
            api_key: None,
            address: format!("http://{}:9000", self.name),
            capacity: Capacity { cpu_cores: 1, pipelines_running: 0, max_pipelines: 100 },
            held,
        }
    }

    fn order(&self, order: ToAgent) {
        let mut held = self.held.lock().expect("nobody panics with it");
        match order {
            ToAgent::Install(order) => {
                let key = (order.pipeline.clone(), order.epoch);
                let assignment = Assignment { order: *order, state: None, warrant: self.warrant.clone() };
                if self.engine.install(assignment).is_ok() && held.get(&key.0).is_none_or(|it| it.0 != key.1) {
                    held.insert(key.0, (key.1, Phase::Deploying));
                }
            }
            ToAgent::Remove { pipeline, epoch } => {
                if self.engine.stop(&pipeline, epoch, Ending::Graceful).is_ok() {
                    held.remove(&pipeline);
                }
            }
            other => panic!("{other:?} is not expected here"),
        }
    }

    fn happened(&self, event: Event) -> Option<ToCoordinator> {
        let mut held = self.held.lock().expect("nobody panics with it");
        match event {
            Event::Phase { pipeline, epoch, phase } => {
                held.insert(pipeline.clone(), (epoch, phase.clone()));
                Some(ToCoordinator::Report { pipeline, epoch, phase })
            }
            Event::Stopped { pipeline, epoch } => {
                if held.get(&pipeline).is_some_and(|it| it.0 == epoch) {
                    held.remove(&pipeline);
                }
                None
            }
            Event::Buried { client, .. } => Some(ToCoordinator::Buried { clients: vec![client] }),
            Event::Released { .. } => None,
        }
    }
}

fn frame(frame: &ToCoordinator) -> Message {
    Message::text(serde_json::to_string(frame).expect("it is a frame"))
}
