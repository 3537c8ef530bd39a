//! Tests of the program as a user meets it: a process, a prefix, a repository.

#[cfg(test)]
mod support;

#[cfg(test)]
mod cached;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod damaged;
#[cfg(test)]
mod install;
#[cfg(test)]
mod linked;
#[cfg(test)]
mod owners;
#[cfg(test)]
mod patched;
#[cfg(test)]
mod recovery;
#[cfg(test)]
mod refusals;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod remove;
#[cfg(test)]
mod repair;
#[cfg(test)]
mod repositories;
#[cfg(test)]
mod served;
#[cfg(test)]
mod server;
#[cfg(test)]
mod shared;
#[cfg(test)]
mod signed;
#[cfg(test)]
mod stuck;
#[cfg(test)]
mod unkept;
#[cfg(test)]
mod upgrade;
#[cfg(test)]
mod wire;
#[cfg(test)]
mod witnessed;
