//! Runtime directories: where a service coordinate keeps its state.
