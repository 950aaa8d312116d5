//! Questions to the state that several deciders ask. Reads only; whatever is computed here is stored nowhere.

use super::ids::{PipelineKey, Uuid, WorkerId};
use super::spec::PipelineSpec;
use super::state::{Facts, Group, Migration, MigrationStatus, Pipeline, State};
use std::collections::BTreeMap;

impl State {
    /// A pipeline.
    pub fn pipeline(&self, key: &PipelineKey) -> Option<&Pipeline> {
        self.groups.get(&key.group)?.pipelines.get(key)
    }

    /// A pipeline, to be changed by `apply`.
    pub(super) fn pipeline_mut(&mut self, key: &PipelineKey) -> Option<&mut Pipeline> {
        self.groups.get_mut(&key.group)?.pipelines.get_mut(key)
    }

    /// What was asked for.
    pub fn spec_of(&self, key: &PipelineKey) -> Option<&PipelineSpec> {
        self.groups.get(&key.group)?.spec.pipelines.iter().find(|spec| spec.name == key.name)
    }

    /// What compiling its program has found.
    pub fn facts_of(&self, key: &PipelineKey) -> Option<&Facts> {
        self.groups.get(&key.group)?.facts.get(&key.name)
    }

    /// Does it keep state between records?
    pub fn is_stateful(&self, key: &PipelineKey) -> bool {
        self.facts_of(key).is_some_and(|facts| facts.stateful)
    }

    /// The group of this name.
    pub fn group_named(&self, name: &str) -> Option<(Uuid, &Group)> {
        self.groups.iter().find(|(_, group)| group.spec.name == name).map(|(id, group)| (*id, group))
    }

    /// All groups, in the order in which they were deployed.
    pub fn groups_in_order(&self) -> Vec<(Uuid, &Group)> {
        let mut groups: Vec<_> = self.groups.iter().map(|(id, group)| (*id, group)).collect();
        groups.sort_by_key(|(_, group)| group.number);
        groups
    }

    /// All pipelines, in the order in which they are placed.
    pub fn pipelines_in_order(&self) -> Vec<(&PipelineKey, &Pipeline)> {
        self.pipelines_where(|_, _| true)
    }

    /// Some pipelines, in the order in which they are placed.
    pub fn pipelines_where(&self, wanted: impl Fn(&PipelineKey, &Pipeline) -> bool) -> Vec<(&PipelineKey, &Pipeline)> {
        let groups = self.groups_in_order().into_iter();
        groups.flat_map(|(_, group)| group.in_order_where(&wanted)).collect()
    }

    /// The pipelines whose placement names this worker, in the order in which they are placed.
    pub fn placed_on(&self, worker: &WorkerId) -> Vec<(&PipelineKey, &Pipeline)> {
        self.pipelines_where(|_, pipeline| pipeline.placement.as_ref().is_some_and(|it| it.worker == *worker))
    }

    /// The move of a pipeline whose state is still with the worker that runs it.
    pub fn pending(&self, key: &PipelineKey) -> Option<(Uuid, &Migration)> {
        let mut migrations = self.migrations.iter();
        let found = migrations.find(|(_, it)| it.pipeline == *key && it.status == MigrationStatus::Pending);
        found.map(|(id, migration)| (*id, migration))
    }

    /// The moves that are decided and whose state is still with the worker that runs the pipeline, by pipeline.
    pub fn all_pending(&self) -> BTreeMap<&PipelineKey, (Uuid, &Migration)> {
        let pending = self.migrations.iter().filter(|(_, it)| it.status == MigrationStatus::Pending);
        pending.map(|(id, migration)| (&migration.pipeline, (*id, migration))).collect()
    }

    /// The moves that have not ended.
    pub fn active_migrations(&self) -> impl Iterator<Item = (Uuid, &Migration)> {
        self.migrations.iter().filter(|(_, it)| it.status.is_active()).map(|(id, migration)| (*id, migration))
    }

    /// The names of the groups that name a connector.
    pub fn users_of(&self, connector: &str) -> Vec<String> {
        let groups = self.groups_in_order().into_iter();
        let users = groups.filter(|(_, group)| group.facts.values().any(|facts| facts.connectors.contains(connector)));
        users.map(|(_, group)| group.spec.name.clone()).collect()
    }
}

impl Group {
    /// Its pipelines as they are placed: as the spec has them, older incarnations first, by replica.
    pub fn in_order(&self) -> Vec<(&PipelineKey, &Pipeline)> {
        self.in_order_where(&|_, _| true)
    }

    fn in_order_where(&self, wanted: &dyn Fn(&PipelineKey, &Pipeline) -> bool) -> Vec<(&PipelineKey, &Pipeline)> {
        let mut pipelines: Vec<_> = self.pipelines.iter().filter(|(key, pipeline)| wanted(key, pipeline)).collect();
        if pipelines.len() > 1 {
            let specs = self.spec.pipelines.iter().enumerate();
            let places: BTreeMap<&str, usize> = specs.map(|(at, spec)| (&*spec.name, at)).collect();
            pipelines.sort_by_cached_key(|(key, _)| places.get(&*key.name));
        }
        pipelines
    }

    /// The newest incarnation of a pipeline.
    pub fn incarnation_of(&self, name: &str) -> Option<u64> {
        self.pipelines.keys().filter(|key| *key.name == *name).map(|key| key.incarnation).max()
    }

    /// Is there a newer incarnation, so that this one ends once that takes records?
    pub fn is_retiring(&self, key: &PipelineKey) -> bool {
        self.incarnation_of(&key.name).is_some_and(|newest| newest > key.incarnation)
    }
}

impl MigrationStatus {
    /// Has it not ended?
    pub fn is_active(&self) -> bool {
        matches!(self, MigrationStatus::Pending | MigrationStatus::InProgress)
    }
}
