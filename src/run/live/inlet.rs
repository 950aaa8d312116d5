//! An open way in: messages or lines, gathered into the bodies of chunks.
//!
//! Nothing here waits: a connection has an inbox of its own, files and generators are read by a thread with a short queue.
//! Invariant: what an inlet has given is not given again, and is given in the order in which it came, per source.

use super::messages::MessageSource;
use super::party::Payloads;
use super::wiring::{Inlet, LineFormat, Route};
use crate::files;
use rarog_connectors::file::{ChunkReader, Next};
use rarog_connectors::generator::{Generator, GeneratorConfig};
use rarog_connectors::http::HttpSource;
use rarog_connectors::mqtt::{Message, MqttError, MqttSource, StatusHook};
use std::collections::HashMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// Blocks of lines that may wait to be taken.
const LINE_QUEUE: usize = 2;
/// Payload bytes of one chunk, unless a single message has more.
const CHUNK_PAYLOAD_BYTES: usize = 4 << 20;
/// Topics whose subscriptions are remembered.
const TOPICS_REMEMBERED: usize = 4096;

/// What a chunk is made of.
pub enum Body {
    /// Messages that came for the same subscriptions.
    Messages {
        /// The messages.
        messages: Vec<Message>,
        /// The type that each topic tells, if it tells one.
        types: Vec<Option<Arc<str>>>,
        /// The sources that they belong to; at least one.
        sources: Arc<[u32]>,
    },
    /// Messages that nobody has to acknowledge.
    Injected {
        /// The messages.
        messages: Vec<Message>,
        /// The type of each.
        types: Vec<Option<Arc<str>>>,
        /// The source that they belong to.
        source: u32,
        /// Told the number of their chunk, before that is given to anybody.
        cut: Box<dyn FnOnce(u64) + Send>,
    },
    /// Whole lines.
    Lines {
        /// The lines.
        bytes: Vec<u8>,
        /// Where the first of them begins in the source, in bytes.
        offset: u64,
        /// Where what follows them begins: in bytes, or of a generator in readings.
        behind: u64,
        /// Their form.
        format: LineFormat,
        /// The source that they belong to.
        source: u32,
    },
    /// A line too long to be read.
    LongLine {
        /// Its length.
        bytes: u64,
        /// Where it begins in the source, in bytes.
        offset: u64,
        /// The source that it belongs to.
        source: u32,
    },
}

/// An open way in.
pub enum OpenInlet {
    /// A connection to a broker, or a server.
    Messages(MessageInlet),
    /// A file, standard input or a generator.
    Lines(LineInlet),
}

/// Wakes whoever pulls.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// Called when a file cannot be read further.
pub type Complain = Box<dyn Fn(String) + Send>;

/// Called with the number of messages that were lost so far for lack of room.
pub type Lost = Box<dyn Fn(u64) + Send + Sync>;

impl OpenInlet {
    /// Opens a way in; files and generators are read from this place on.
    pub fn open(
        inlet: Inlet,
        from: u64,
        wake: Wake,
        status: StatusHook,
        complain: Complain,
        lost: Lost,
    ) -> Result<OpenInlet, String> {
        match inlet {
            Inlet::Mqtt { config, routes, payloads } => {
                let source = MqttSource::start(config, move || wake(), Some(status));
                let source = source.map_err(|error: MqttError| error.to_string())?;
                source.on_loss(lost);
                let inlet = MessageInlet::new(MessageSource::Mqtt(Arc::new(source)), routes);
                Ok(OpenInlet::Messages(MessageInlet { payloads, ..inlet }))
            }
            Inlet::Http { config, routes } => {
                let source = HttpSource::start(config, move || wake())?;
                Ok(OpenInlet::Messages(MessageInlet::new(MessageSource::Http(Arc::new(source)), routes)))
            }
            Inlet::File { path, format, source } => {
                let reader = open_file(&path, from)?;
                LineInlet::start(format, source, false, move |queue| read_lines(reader, &path, queue, &wake, complain))
            }
            Inlet::Generator { config, source } => {
                LineInlet::start(LineFormat::Jsonl, source, true, move |queue| generate(config, from, queue, &wake))
            }
        }
    }

    /// What has come, in bodies of at most `rows` messages; nothing if nothing has.
    pub fn take(&mut self, rows: usize) -> Vec<Body> {
        match self {
            OpenInlet::Messages(inlet) => inlet.take(rows),
            OpenInlet::Lines(inlet) => inlet.take().into_iter().collect(),
        }
    }

    /// The source that has ended with this inlet, once nothing more will come.
    pub fn ended(&self) -> Option<u32> {
        match self {
            OpenInlet::Messages(_) => None,
            OpenInlet::Lines(inlet) => inlet.ended.then_some(inlet.source),
        }
    }

    /// Takes in no more.
    pub fn stop(&self) {
        if let OpenInlet::Messages(inlet) = self {
            inlet.source.stop();
        }
    }

    /// Ends it at once.
    pub fn close(&self) {
        if let OpenInlet::Messages(inlet) = self {
            inlet.source.close(Duration::ZERO);
        }
    }
}

/// A source of messages with its subscriptions.
pub struct MessageInlet {
    /// Where they come from.
    pub source: MessageSource,
    routes: Vec<Route>,
    known: HashMap<Arc<str>, Known>,
    /// Messages of subscriptions that an earlier run of the name made and this one does not have.
    leftovers: u64,
    /// The messages that are taken, if not all are; who takes the others has them from the broker as well.
    payloads: Option<Payloads>,
}

/// What is known of a topic.
#[derive(Clone)]
struct Known {
    sources: Arc<[u32]>,
    event: Option<Arc<str>>,
}

/// Messages for one chunk.
#[derive(Default)]
struct Gathered {
    sources: Arc<[u32]>,
    messages: Vec<Message>,
    types: Vec<Option<Arc<str>>>,
    bytes: usize,
}

impl Gathered {
    fn push(&mut self, message: Message, event: Option<Arc<str>>) {
        self.bytes += message.payload.len();
        self.messages.push(message);
        self.types.push(event);
    }

    fn body(self) -> Body {
        Body::Messages { messages: self.messages, types: self.types, sources: self.sources }
    }
}

impl MessageInlet {
    fn new(source: MessageSource, routes: Vec<Route>) -> MessageInlet {
        MessageInlet { source, routes, known: HashMap::new(), leftovers: 0, payloads: None }
    }

    fn take(&mut self, rows: usize) -> Vec<Body> {
        let messages = self.source.receive(rows);
        let mut gathered: Vec<Gathered> = Vec::new();
        let mut last: Option<(Arc<str>, Known)> = None;
        for message in messages {
            let known = match &last {
                Some((topic, known)) if Arc::ptr_eq(topic, &message.topic) => known.clone(),
                _ => self.known(&message.topic),
            };
            last = Some((message.topic.clone(), known.clone()));
            if known.sources.is_empty() {
                self.leftovers += 1;
                self.source.acknowledge([message.receipt]);
                continue;
            }
            if self.payloads.as_ref().is_some_and(|payloads| !payloads.take(&message.payload)) {
                self.source.acknowledge([message.receipt]);
                continue;
            }
            let bytes = message.payload.len();
            // The order of arrival holds over all sources: a chunk ends where the next message is another's.
            match gathered.last_mut() {
                Some(open) if open.sources == known.sources && open.bytes + bytes <= CHUNK_PAYLOAD_BYTES => {
                    open.push(message, known.event);
                }
                _ => {
                    let mut open = Gathered { sources: known.sources, ..Gathered::default() };
                    open.push(message, known.event);
                    gathered.push(open);
                }
            }
        }
        gathered.into_iter().map(Gathered::body).collect()
    }

    fn known(&mut self, topic: &Arc<str>) -> Known {
        if let Some(known) = self.known.get(topic) {
            return known.clone();
        }
        let routes = self.routes.iter().filter(|route| self.source.matches(&route.filter, topic));
        let mut sources: Vec<u32> = routes.map(|route| route.source).collect();
        sources.dedup();
        let known = Known { sources: sources.into(), event: self.source.event_type(topic) };
        if self.known.len() >= TOPICS_REMEMBERED {
            self.known.clear();
        }
        self.known.insert(topic.clone(), known.clone());
        known
    }

    /// How many messages belonged to no subscription.
    pub fn leftovers(&self) -> u64 {
        self.leftovers
    }
}

/// Lines from a thread.
pub struct LineInlet {
    queue: Mutex<Receiver<Next>>,
    format: LineFormat,
    source: u32,
    /// Places are numbers of lines, not of bytes.
    by_line: bool,
    ended: bool,
}

impl LineInlet {
    fn start(
        format: LineFormat,
        source: u32,
        by_line: bool,
        read: impl FnOnce(&SyncSender<Next>) + Send + 'static,
    ) -> Result<OpenInlet, String> {
        let (sender, receiver) = sync_channel(LINE_QUEUE);
        // Detached: a read that blocks cannot be ended from outside. It ends with its input, or with its receiver.
        let started = thread::Builder::new().name("lines".into()).spawn(move || read(&sender));
        started.map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(OpenInlet::Lines(LineInlet { queue: Mutex::new(receiver), format, source, by_line, ended: false }))
    }

    fn take(&mut self) -> Option<Body> {
        let (source, format) = (self.source, self.format);
        let next = self.queue.lock().unwrap_or_else(PoisonError::into_inner).try_recv();
        match next {
            Ok(Next::Chunk(chunk)) => {
                let length = match self.by_line {
                    true => chunk.bytes.iter().filter(|byte| **byte == b'\n').count(),
                    false => chunk.bytes.len(),
                };
                let behind = chunk.offset + length as u64;
                Some(Body::Lines { bytes: chunk.bytes, offset: chunk.offset, behind, format, source })
            }
            Ok(Next::LineTooLong { bytes, offset }) => Some(Body::LongLine { bytes, offset, source }),
            Ok(Next::Quiet) | Err(TryRecvError::Empty) => None,
            Ok(Next::End) | Err(TryRecvError::Disconnected) => {
                self.ended = true;
                None
            }
        }
    }
}

fn open_file(path: &Path, from: u64) -> Result<ChunkReader, String> {
    ChunkReader::open(path, from).map_err(|error| files::cannot_read(path, &error))
}

fn read_lines(mut reader: ChunkReader, path: &Path, queue: &SyncSender<Next>, wake: &Wake, complain: Complain) {
    loop {
        let next = match reader.next(None) {
            Ok(next) => next,
            Err(error) => {
                complain(format!("cannot read {}: {error}", path.display()));
                Next::End
            }
        };
        let last = next == Next::End;
        if queue.send(next).is_err() || last {
            wake();
            return;
        }
        wake();
    }
}

fn generate(config: GeneratorConfig, from: u64, queue: &SyncSender<Next>, wake: &Wake) {
    let mut generator = Generator::starting_at(config, from);
    loop {
        let readings = generator.next_chunk();
        let next = readings.map_or(Next::End, |readings| {
            Next::Chunk(rarog_connectors::file::Chunk { offset: readings.first, bytes: readings.bytes })
        });
        let last = next == Next::End;
        if queue.send(next).is_err() || last {
            wake();
            return;
        }
        wake();
    }
}
