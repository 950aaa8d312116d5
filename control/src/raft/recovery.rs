//! Making a cluster of one out of a node whose cluster has lost its majority for good.
//!
//! Everything that the node's log has is kept, also what was not known to be committed: somebody may have been told that it
//! was. Invariant: the count of recoveries is raised first, so nodes that were left behind cannot take part any more if they
//! come back with their old disks.

use super::consensus::{Consensus, Inner, RaftConfig, StartError};
use super::journal::JournalError;
use super::log::Log;
use super::machine::apply_entry;
use super::snapshot::{self, SNAPSHOT};
use super::standing::Membership;
use super::types::{self, SnapshotMeta, StoredMembership};
use crate::model::ids::{NodeId, Uuid};
use crate::model::state::State;
use crate::seams::{Disk, Seams};
use openraft::BasicNode;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What was recovered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The cluster; it stays the same.
    pub cluster: Uuid,
    /// Index of the last entry that is kept.
    pub index: u64,
    /// How often the cluster was recovered by force so far.
    pub recoveries: u32,
}

impl Consensus {
    /// Makes this node a cluster of one that keeps the state. For when a majority of the coordinators is lost for good: those
    /// that are still there have to be started without their old folders.
    pub async fn recover_force(&self) -> Result<Recovered, StartError> {
        let Inner { config, seams, log, membership, .. } = &*self.inner;
        if log.is_blank() {
            return Err(StartError::NothingToRecover(seams.disk.place()));
        }
        self.inner.halt().await;
        let result = rewrite(&*seams.disk, log, membership, config.node, &self.inner.own_url()).await;
        // Without a result nothing has changed, or what has changed can be read again.
        self.inner.launch().await?;
        result
    }

    /// The same for a node that does not run.
    pub async fn recover_offline(config: &RaftConfig, seams: &Seams) -> Result<Recovered, StartError> {
        let log = Log::open(seams.disk.clone(), config.flush)?;
        if log.is_blank() {
            return Err(StartError::NothingToRecover(seams.disk.place()));
        }
        let membership = Membership::open(seams.disk.clone(), log.clone(), config.node)?;
        let url = config.peers.get(&config.node).cloned().unwrap_or_default();
        rewrite(&*seams.disk, &log, &membership, config.node, &url).await
    }
}

async fn rewrite(
    disk: &dyn Disk,
    log: &Log,
    membership: &Membership,
    node: NodeId,
    url: &str,
) -> Result<Recovered, StartError> {
    let failed = |source| JournalError::Io { place: format!("{}/{SNAPSHOT}", disk.place()), source };
    let mut state = Arc::<State>::default();
    let mut last = None;
    if let Some((meta, bytes)) = snapshot::load(disk)? {
        state = Arc::new(snapshot::decode(&bytes).map_err(failed)?);
        last = meta.last_log_id;
    }
    for entry in log.entries_after(last.as_ref()) {
        last = Some(entry.log_id);
        apply_entry(&mut state, entry.payload);
    }
    let (Some(last), Some(_)) = (last, membership.lineage()) else {
        return Err(StartError::NothingToRecover(disk.place()));
    };
    membership.count_recovery().map_err(failed)?;
    let alone = BTreeMap::from([(node, BasicNode { addr: url.into() })]);
    let alone = types::Membership::new(vec![BTreeSet::from([node])], alone)
        .map_err(|error| StartError::Raft(error.to_string()))?;
    let meta = SnapshotMeta { last_log_id: Some(last), last_membership: StoredMembership::new(Some(last), alone) };
    let bytes = snapshot::encode(&state).map_err(failed)?;
    snapshot::store(disk, &meta, &bytes).map_err(failed)?;
    log.reset(last).await.map_err(failed)?;
    let lineage = membership.lineage().expect("it had one above");
    tracing::warn!(node, cluster = %lineage.cluster, index = last.index, "recovered by force as a cluster of one");
    Ok(Recovered { cluster: lineage.cluster, index: last.index, recoveries: lineage.recoveries })
}
