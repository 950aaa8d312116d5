//! rarog-connectors
