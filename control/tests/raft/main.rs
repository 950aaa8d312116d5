//! Clusters of Raft nodes over real sockets and folders, with kills, lost disks and late comers.

mod formation;
mod members;
mod nodes;
mod replication;
