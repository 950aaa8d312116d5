//! Pipelines that were deployed on this worker directly, outside of any cluster.
//!
//! They are kept in the worker's folder and run again after a restart. Nobody else can own them, so their warrant always
//! holds. Invariant: what [`Standalone::deploy`] has answered is on disk.

use crate::agent::engine::{Assignment, Ending, Engine, Refused, Warrant};
use crate::coordinator::compile::{Compiler, Problem, Program};
use crate::model::ids::{EpochNumber, PipelineKey, Uuid};
use crate::seams::{Clock, Disk, Entropy, Pending};
use crate::wire::{Order, Verdict};
use rarog_lang::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The file that they are kept in.
const FILE: &str = "standalone.json";

/// See the module's head.
pub struct Standalone {
    engine: Arc<dyn Engine>,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    compiler: Compiler,
    limit: u32,
    pipelines: Mutex<BTreeMap<Uuid, Deployed>>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployed {
    /// Its name; several may have the same.
    pub name: Arc<str>,
    /// VPL.
    pub source: Arc<str>,
    /// When it was deployed, Unix time.
    pub since_ms: u64,
    /// One more with every new source.
    pub epoch: EpochNumber,
}

/// Why one was not deployed.
#[derive(Debug, thiserror::Error)]
pub enum DeployError {
    /// The program does not compile.
    #[error("the program does not compile")]
    Problems(Vec<Problem>),
    /// There are as many as may be.
    #[error("this worker runs {0} pipelines, as many as it may; delete one, or start it with a higher --max-pipelines")]
    Full(u32),
    /// There is no such pipeline.
    #[error("there is no pipeline {0} that was deployed here directly")]
    Unknown(Uuid),
    /// It cannot be started.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It cannot be kept.
    #[error("cannot keep the pipeline on disk: {0}")]
    Disk(#[from] std::io::Error),
}

/// Nobody else has a claim.
struct Undisputed;

impl Warrant for Undisputed {
    fn owner(&self, _: &PipelineKey, _: EpochNumber) -> Pending<'static, Verdict> {
        Box::pin(std::future::ready(Verdict::Owner))
    }
}

impl Standalone {
    /// Starts again what the folder names. What cannot be started is said and stays in the folder.
    pub fn open(
        engine: Arc<dyn Engine>,
        seams: (Arc<dyn Disk>, Arc<dyn Clock>, Arc<dyn Entropy>),
        limit: u32,
    ) -> std::io::Result<Standalone> {
        let (disk, clock, entropy) = seams;
        let kept = disk.read(FILE)?.unwrap_or_else(|| b"{}".to_vec());
        let damaged = |error| std::io::Error::other(format!("{FILE} is damaged ({error}); remove it to begin anew"));
        let pipelines: BTreeMap<Uuid, Deployed> = serde_json::from_slice(&kept).map_err(damaged)?;
        let standalone =
            Standalone { engine, disk, clock, entropy, compiler: Compiler::new(), limit, pipelines: Mutex::default() };
        for (id, deployed) in &pipelines {
            if let Err(error) = standalone.start(*id, deployed) {
                tracing::error!(pipeline = %deployed.name, %error, "a pipeline of an earlier start cannot be started");
            }
        }
        *standalone.lock() = pipelines;
        Ok(standalone)
    }

    /// Deploys a program under a name.
    pub fn deploy(&self, name: &str, source: &str) -> Result<Uuid, DeployError> {
        if self.lock().len() >= self.limit as usize {
            return Err(DeployError::Full(self.limit));
        }
        let bits = [self.entropy.next_u64(), self.entropy.next_u64()];
        let id = Uuid::from_u64_pair(bits[0], bits[1]);
        let deployed = Deployed { name: name.into(), source: source.into(), since_ms: self.clock.now_ms(), epoch: 1 };
        self.start(id, &deployed)?;
        self.change(|pipelines| _ = pipelines.insert(id, deployed))?;
        Ok(id)
    }

    /// Runs another program in place of one.
    pub fn reload(&self, id: Uuid, source: &str) -> Result<(), DeployError> {
        let known = self.get(id).ok_or(DeployError::Unknown(id))?;
        let deployed = Deployed { source: source.into(), epoch: known.epoch + 1, ..known };
        self.start(id, &deployed)?;
        self.change(|pipelines| _ = pipelines.insert(id, deployed))?;
        Ok(())
    }

    /// Ends one for good.
    pub fn delete(&self, id: Uuid) -> Result<(), DeployError> {
        let known = self.get(id).ok_or(DeployError::Unknown(id))?;
        self.change(|pipelines| _ = pipelines.remove(&id))?;
        match self.engine.stop(&key(id, &known), known.epoch, Ending::Graceful) {
            // It has ended by itself.
            Ok(()) | Err(Refused::Unknown(_)) => Ok(()),
            Err(refused) => Err(refused.into()),
        }
    }

    /// One of them.
    pub fn get(&self, id: Uuid) -> Option<Deployed> {
        self.lock().get(&id).cloned()
    }

    /// All of them.
    pub fn all(&self) -> BTreeMap<Uuid, Deployed> {
        self.lock().clone()
    }

    /// The plan of one.
    pub fn plan(&self, deployed: &Deployed) -> Result<Arc<Plan>, DeployError> {
        let program = self.compiler.compile(&deployed.source, &BTreeMap::new());
        program.map(|program| program.plan.clone()).map_err(DeployError::Problems)
    }

    /// How many there may be.
    pub fn limit(&self) -> u32 {
        self.limit
    }

    fn start(&self, id: Uuid, deployed: &Deployed) -> Result<(), DeployError> {
        let program = self.compiler.compile(&deployed.source, &BTreeMap::new()).map_err(DeployError::Problems)?;
        let order = order(id, deployed, &program);
        // Nothing is started that could not be: the sessions that it makes are asked for first.
        self.engine.clients(&order).map_err(Refused::Cannot)?;
        self.engine.install(Assignment { order, state: None, warrant: Arc::new(Undisputed) })?;
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Uuid, Deployed>)) -> std::io::Result<()> {
        let mut pipelines = self.lock();
        change(&mut pipelines);
        let text = serde_json::to_vec(&*pipelines).map_err(std::io::Error::other)?;
        self.disk.replace(FILE, &text)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Uuid, Deployed>> {
        self.pipelines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key under which the engine knows one: its own id stands for the group.
pub fn key(id: Uuid, deployed: &Deployed) -> PipelineKey {
    PipelineKey::new(id, &deployed.name, 0)
}

fn order(id: Uuid, deployed: &Deployed, program: &Program) -> Order {
    Order {
        pipeline: key(id, deployed),
        epoch: deployed.epoch,
        id,
        incarnation: 1,
        replicas: 1,
        partition_key: None,
        group_name: deployed.name.to_string(),
        source: deployed.source.clone(),
        plan: program.plan.clone(),
        connectors: BTreeMap::new(),
        clients: BTreeMap::new(),
        state_comes: false,
    }
}
