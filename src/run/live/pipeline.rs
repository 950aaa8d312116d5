//! One pipeline of a live run, from its opening to its end.

use super::host::{self, LiveHost, Storing};
use super::identity::Identity;
use super::inlet::{MessageInlet, OpenInlet};
use super::intake::{self, LiveIntake, Wakers};
use super::link::{self, Failing, Link, LinkName, Passage};
use super::messages::MessageSource;
use super::outlet::{OpenOutlet, Reports};
use super::progress::Progress;
use super::resume::Beginning;
use super::terms::Terms;
use super::watch::{Trouble, Watch};
use super::wiring::{Inlet, Outlet, Wiring};
use crate::exit;
use crate::run::Failure;
use crate::run::checkpoint::{Checkpoints, StandardOutput};
use crate::run::dead::DeadFile;
use crate::run::host::{Checkpointing, RunHost, Surroundings};
use crate::run::stop::Stop;
use rarog_connectors::mqtt::{self, Output};
use rarog_dataflow::operators::Clockwork;
use rarog_dataflow::rt::{Counters, DeadRecord, Host, Job};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often it is looked whether a wait is over.
const LOOK: Duration = Duration::from_millis(50);
/// How long an end may take to say goodbye when nothing is left to do.
const GOODBYE: Duration = Duration::from_secs(1);

/// A pipeline whose ends are open or being opened.
pub struct LivePipeline {
    name: String,
    /// Asked to stop?
    pub stop: Arc<Stop>,
    intake: Arc<LiveIntake>,
    host: Arc<LiveHost>,
    printer: Arc<RunHost>,
    counters: Arc<Counters>,
    outlets: Arc<Vec<OpenOutlet>>,
    /// By outlet, why its requests fail.
    failing: Vec<Failing>,
    outlet_names: Vec<LinkName>,
    inlet_names: Vec<LinkName>,
    /// The thread that opens inlets.
    connecting: Mutex<Option<JoinHandle<()>>>,
    progress: Arc<Progress>,
    trouble: Arc<Trouble>,
    around: Surroundings,
    label: String,
    checkpoints: Option<Arc<Checkpoints>>,
}

impl LivePipeline {
    /// Opens the outlets and, behind them, the inlets; does not wait for brokers.
    pub fn open(
        name: &str,
        wiring: Wiring,
        beginning: Beginning,
        around: &Surroundings,
        terms: &Terms,
    ) -> Result<(Arc<LivePipeline>, Job), String> {
        let Beginning { checkpoints, start, position, standard } = beginning;
        let offsets: Vec<u64> = position.sources.iter().map(|source| source.offset).collect();
        let records = position.sources.iter().map(|source| source.records).collect();
        let storing = storing(&wiring, checkpoints.clone(), standard);
        let (inlet_links, outlet_links) = links(&wiring);
        let Wiring { plan, inlets, inlet_names, outlets, outlet_names: _, sending, idle, warnings } = wiring;
        let label = if terms.several { format!("{name}: ") } else { String::new() };
        warnings.iter().for_each(|warning| around.talk.say(&format!("{label}warning: {warning}")));
        let (stop, wakers) = (Arc::new(Stop::default()), Arc::new(Wakers::default()));
        let progress = progress(start.chunk, checkpoints.as_deref());
        let incarnation = checkpoints.as_ref().map_or(u64::from(terms.forget), |checkpoints| checkpoints.incarnation);
        let announce = terms.several.then(|| around.talk.clone());
        let trouble = Trouble::new((stop.clone(), around.stop.clone()), wakers.clone(), announce, label.clone());
        let trouble = Arc::new(trouble);
        let kept = checkpoints.clone().map(|checkpoints| Checkpointing { checkpoints, output: None, dead: None });
        let printer = RunHost::new(plan.clone(), terms.several.then(|| name.into()), None, around.clone(), kept);
        let printer = Arc::new(printer.posting_alerts());
        let reports = reports(&progress, &printer, &wakers, (around.dead.clone(), trouble.clone()));
        let watch = Watch {
            label: label.clone(),
            talk: around.talk.clone(),
            trouble: trouble.clone(),
            notice: terms.notice.clone(),
        };
        let failing: Vec<Failing> = outlets.iter().map(|_| Failing::default()).collect();
        let outlets = Arc::new(open_outlets(outlets, &failing, &watch, &reports, terms)?);
        let parts = intake::Parts {
            plan: &plan,
            progress: progress.clone(),
            wakers,
            gate: gate(outlets.clone(), trouble.clone()),
            idle: &idle,
            chunk_rows: terms.chunk_rows,
            checkpoints: checkpoints.clone(),
            chunk: start.chunk,
            from: position,
        };
        let intake = Arc::new(LiveIntake::new(parts));
        stop_with(&around.stop, &stop, intake.clone());
        let on_failure = trouble.clone();
        let host = Arc::new(LiveHost::new(host::Parts {
            plan: &plan,
            sending,
            outlets: outlets.clone(),
            reports,
            printer: printer.clone(),
            dead_file: around.dead.clone(),
            identity: terms.identity.unwrap_or_else(|| Identity::new(name, incarnation)),
            inlet_names,
            records,
            on_failure: Box::new(move |message| on_failure.fail(exit::USAGE, message)),
            storing,
        }));
        let counters = Arc::new(Counters::new(&plan));
        let job = Job {
            plan,
            host: host.clone(),
            counters: counters.clone(),
            intake: intake.clone(),
            clockwork: Clockwork { sources: idle.len(), replay: false },
            start,
        };
        let pipeline = Arc::new(LivePipeline {
            name: name.into(),
            stop,
            intake,
            host,
            printer,
            counters,
            outlets,
            failing,
            outlet_names: outlet_links,
            inlet_names: inlet_links,
            connecting: Mutex::default(),
            progress,
            trouble,
            around: around.clone(),
            label,
            checkpoints,
        });
        pipeline.connect(inlets, offsets, watch, terms.clone())?;
        Ok((pipeline, job))
    }

    /// Opens the inlets on a thread that waits for the outlets.
    fn connect(
        self: &Arc<Self>,
        inlets: Vec<Inlet>,
        offsets: Vec<u64>,
        watch: Watch,
        terms: Terms,
    ) -> Result<(), String> {
        let this = self.clone();
        let connect = move || {
            if !this.wait_for_outlets() {
                return;
            }
            if terms.forget && !this.forget(&inlets, &terms) {
                return;
            }
            match this.open_inlets(inlets, &offsets, &watch, &terms) {
                Ok(inlets) => {
                    // Before anything can be read, so that nothing is acknowledged to nobody.
                    this.progress.connect(intake::sources(&inlets));
                    this.intake.attach(inlets);
                }
                Err(message) => this.trouble.fail(exit::USAGE, message),
            }
        };
        let started = thread::Builder::new().name("connect".into()).spawn(connect);
        let started = started.map_err(|error| format!("cannot start a thread: {error}"))?;
        *self.connecting.lock().unwrap_or_else(PoisonError::into_inner) = Some(started);
        Ok(())
    }

    /// False if the run is stopped before.
    fn wait_for_outlets(&self) -> bool {
        self.outlets.iter().all(|outlet| {
            loop {
                if self.stop.is_requested() {
                    return false;
                }
                match outlet {
                    OpenOutlet::Mqtt(sink) => match sink.wait_connected(LOOK) {
                        Ok(()) => return true,
                        Err(_) if sink.state().is_final() => return false,
                        Err(_) => {}
                    },
                    // A server is connected to when there is something to send.
                    OpenOutlet::Http(_) | OpenOutlet::File(_) | OpenOutlet::Stdout(_) => return true,
                }
            }
        })
    }

    /// Removes the sessions of the inlets; false if the run is stopped before, or it takes too long.
    fn forget(&self, inlets: &[Inlet], terms: &Terms) -> bool {
        let mut left = terms.connect_timeout;
        inlets.iter().all(|inlet| {
            let Inlet::Mqtt { config, .. } = inlet else { return true };
            loop {
                let Err(error) = mqtt::forget(&config.mqtt, GOODBYE) else { return true };
                left = left.map(|left| left.saturating_sub(GOODBYE));
                if left == Some(Duration::ZERO) {
                    self.trouble.fail(exit::UNREACHABLE, error.to_string());
                }
                if self.stop.is_requested() {
                    return false;
                }
            }
        })
    }

    fn open_inlets(
        &self,
        inlets: Vec<Inlet>,
        offsets: &[u64],
        watch: &Watch,
        terms: &Terms,
    ) -> Result<Vec<OpenInlet>, String> {
        let open = |mut inlet: Inlet| {
            let from = inlet.source().and_then(|source| offsets.get(source as usize)).copied().unwrap_or(0);
            let what = inlet.prepare(terms.connect_timeout);
            let wakers = self.trouble.wakers.clone();
            let trouble = self.trouble.clone();
            OpenInlet::open(
                inlet,
                from,
                Arc::new(move || wakers.wake()),
                watch.hook(format!("{what} (in)")),
                Box::new(move |message| trouble.fail(exit::USAGE, message)),
                watch.losses(&what),
            )
            .inspect(|inlet| {
                if let OpenInlet::Messages(MessageInlet { source: MessageSource::Http(source), .. }) = inlet {
                    watch.say(&format!("{what} (in): listening on {}", source.address()));
                }
            })
        };
        inlets.into_iter().map(open).collect()
    }

    /// Where its chunks come from.
    pub fn intake(&self) -> Arc<LiveIntake> {
        self.intake.clone()
    }

    /// Why it has failed, if it has.
    pub fn failure(&self) -> Option<Failure> {
        let failure = self
            .trouble
            .take()
            .map(|failure| Failure { message: format!("{}{}", self.label, failure.message), ..failure });
        failure.or_else(|| self.printer.failure().map(|message| Failure { code: exit::USAGE, message }))
    }

    /// Stops waiting for its brokers.
    pub fn give_up(&self) {
        self.trouble.give_up();
    }

    /// Its connections, sinks first.
    pub fn links(&self) -> Vec<Link> {
        let outlets = self.outlet_names.iter().zip(&*self.outlets).zip(&self.failing);
        let outlets = outlets.map(|((name, outlet), failing)| link::of_outlet(name, outlet, failing));
        let sources = self.intake.sources();
        let inlets = self.inlet_names.iter().enumerate().map(|(index, name)| match sources.get(index) {
            Some(source) => link::of_inlet(name, source.as_ref()),
            None => Link { name: name.clone(), passage: Passage::Waiting, received: 0 },
        });
        outlets.chain(inlets).collect()
    }

    /// Outputs that are neither confirmed nor written off.
    pub fn unconfirmed(&self) -> u64 {
        self.progress.unconfirmed()
    }

    /// Asks for its state behind the last chunk, once it is told to stop.
    pub fn keep_state(&self) {
        if let Some(checkpoints) = &self.checkpoints {
            checkpoints.ask();
        }
    }

    /// The state that was asked for, once it has ended and everything that it put out is confirmed.
    pub fn state(&self) -> Option<Arc<[u8]>> {
        self.checkpoints.as_ref().and_then(|checkpoints| checkpoints.kept())
    }

    /// Cuts its connections: nothing goes out any more and nothing is acknowledged.
    pub fn cut(&self) {
        self.give_up();
        self.stop.request();
        self.outlets.iter().for_each(|outlet| outlet.close(Duration::ZERO));
        self.end_connecting();
        self.intake.sources().iter().flatten().for_each(|source| source.close(Duration::ZERO));
    }

    /// The pipeline is to stop: waits until the thread that opens its inlets has noticed.
    fn end_connecting(&self) {
        let thread = self.connecting.lock().unwrap_or_else(PoisonError::into_inner).take();
        // One that has panicked has opened nothing.
        _ = thread.map(JoinHandle::join);
    }

    /// Its dataflow has ended: waits for the brokers' confirmations, up to a `deadline` if there is one, acknowledges, and
    /// closes its ends.
    pub fn close(&self, deadline: Option<Instant>) {
        // It may have failed before its inlets were attached.
        self.intake.stop();
        let over = || deadline.is_some_and(|deadline| Instant::now() >= deadline);
        for outlet in &*self.outlets {
            while !over() && !self.trouble.has_given_up() && !outlet.has_ended() && !outlet.flush(LOOK) {}
        }
        if let Some(Err(message)) = self.checkpoints.as_ref().map(|checkpoints| checkpoints.finish()) {
            self.trouble.fail(exit::FAILED, message);
        }
        let goodbye = if self.trouble.has_given_up() { Duration::ZERO } else { GOODBYE };
        self.outlets.iter().for_each(|outlet| outlet.close(goodbye));
        self.stop.request();
        self.end_connecting();
        self.intake.sources().iter().flatten().for_each(|source| source.close(GOODBYE));
    }

    /// Says what came in and what became of it.
    pub fn summary(&self, elapsed: Duration) {
        self.printer.summary(&self.counters, elapsed);
        let say = |line: String| self.around.talk.say(&format!("{}  {line}", self.label));
        let sources: Vec<_> = self.intake.sources().iter().flatten().filter_map(MessageSource::of_broker).collect();
        let recognised: u64 = sources.iter().map(|source| source.recognised).sum();
        let (lost, passed_over): (u64, u64) =
            (sources.iter().map(|source| source.lost).sum(), sources.iter().map(|source| source.passed_over).sum());
        let due: u64 = sources.iter().map(|source| source.due).sum();
        let (sent, unconfirmed, leftovers) = (self.host.sent(), self.progress.unconfirmed(), self.intake.leftovers());
        if sent > 0 {
            say(format!("sent {sent}"));
        }
        if unconfirmed > 0 {
            say(format!("{unconfirmed} outputs are not confirmed; what caused them comes again at the next start"));
        }
        if due > 0 {
            say(format!(
                "{due} messages are not acknowledged although they are done; they come again at the next start"
            ));
        }
        if lost > 0 {
            say(format!("{lost} messages of qos 0 lost: there was no room for them"));
        }
        if passed_over > 0 {
            say(format!("{passed_over} messages found no room and were fetched from the broker again"));
        }
        if recognised > 0 {
            say(format!("{recognised} messages came again over a new connection and were not processed again"));
        }
        if leftovers > 0 {
            say(format!("{leftovers} messages of subscriptions that an earlier run of {} made", self.name));
        }
    }
}

/// What a checkpoint says beside the states of the operators.
fn storing(
    wiring: &Wiring,
    checkpoints: Option<Arc<Checkpoints>>,
    output: Option<Arc<StandardOutput>>,
) -> Option<Storing> {
    Some(Storing {
        checkpoints: checkpoints?,
        output,
        files: wiring.outlets.iter().filter_map(Outlet::file).collect(),
        sources: wiring.source_names(),
        clients: wiring.clients(),
    })
}

/// Progress that hears of every checkpoint that is stored.
fn progress(chunk: u64, checkpoints: Option<&Checkpoints>) -> Arc<Progress> {
    let progress = Arc::new(Progress::starting_at(chunk, checkpoints));
    if let Some(checkpoints) = checkpoints {
        let told = progress.clone();
        checkpoints.on_stored(Box::new(move |chunk| told.stored(chunk)));
    }
    progress
}

/// Ends the intake when the pipeline is to stop, and the pipeline when the run is.
fn stop_with(of_run: &Arc<Stop>, of_pipeline: &Arc<Stop>, intake: Arc<LiveIntake>) {
    of_pipeline.on_request(Box::new(move || intake.stop()));
    let of_pipeline = of_pipeline.clone();
    of_run.on_request(Box::new(move || of_pipeline.request()));
}

/// Lets input in while every outlet has room for what it causes, and once nothing goes out any more.
fn gate(outlets: Arc<Vec<OpenOutlet>>, trouble: Arc<Trouble>) -> intake::Gate {
    Box::new(move || trouble.has_given_up() || outlets.iter().all(OpenOutlet::has_room))
}

/// The names of the connections that come in, and of those that go out.
fn links(wiring: &Wiring) -> (Vec<LinkName>, Vec<LinkName>) {
    let link = |connector: &Arc<str>, kind, comes_in| LinkName { connector: connector.clone(), kind, comes_in };
    let inlets = wiring.inlet_names.iter().zip(&wiring.inlets).map(|(name, inlet)| link(name, inlet.kind(), true));
    let outlets = wiring.outlet_names.iter().zip(&wiring.outlets);
    (inlets.collect(), outlets.map(|(name, outlet)| link(name, outlet.kind(), false)).collect())
}

fn open_outlets(
    outlets: Vec<Outlet>,
    failing: &[Failing],
    watch: &Watch,
    reports: &Reports,
    terms: &Terms,
) -> Result<Vec<OpenOutlet>, String> {
    let open = |(mut outlet, failing): (Outlet, &Failing)| {
        let what = format!("{} (out)", outlet.prepare(terms.connect_timeout));
        let (status, trouble) = (watch.hook(what.clone()), watch.trouble(what, failing.clone()));
        OpenOutlet::open(outlet, reports.clone(), status, trouble)
    };
    outlets.into_iter().zip(failing).map(open).collect()
}

fn reports(
    progress: &Arc<Progress>,
    printer: &Arc<RunHost>,
    wakers: &Arc<Wakers>,
    (file, trouble): (DeadFile, Arc<Trouble>),
) -> Reports {
    let (printer, wakers) = (Arc::downgrade(printer), wakers.clone());
    let number = AtomicU64::new(0);
    let undeliverable = move |output: &Output, reason: &str| {
        let Some(printer) = Weak::upgrade(&printer) else { return false };
        printer.dead(DeadRecord {
            reason: "undeliverable",
            chunk: 0,
            index: number.fetch_add(1, Ordering::Relaxed),
            position: None,
            stream: None,
            detail: format!("to {}: {reason}", output.topic),
            raw: output.payload.to_vec(),
        });
        file.flush().map_err(|message| trouble.fail(exit::USAGE, message)).is_ok()
    };
    Reports {
        progress: progress.clone(),
        undeliverable: Arc::new(undeliverable),
        wake: Arc::new(move || wakers.wake()),
    }
}
