//! Programs of the interpreter.
