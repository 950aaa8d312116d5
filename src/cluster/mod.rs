//! What a worker of a cluster runs pipelines with.
