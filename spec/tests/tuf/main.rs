//! The TUF client against repositories that are right, wrong and hostile. All in memory: `scene` is both sides.

mod attacks;
mod delegations;
mod histories;
mod mutations;
mod rules;
mod scene;
