//! Runs the main job from source tree to running service.

fn main() {}
