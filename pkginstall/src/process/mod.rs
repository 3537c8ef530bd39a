//! Processes: identified by more than a number, signalled through a pidfd.
