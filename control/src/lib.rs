//! rarog-control
