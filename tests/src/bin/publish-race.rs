//! The long race: many publishers of different groups for many rounds, on any store, with readers that poll.
//!
//!     publish-race --store s3://bucket --servers 2 --writers 16 --rounds 100
//!
//! Endpoint and credentials come from the environment. Prints the figures that `docs/operations.md` has.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use copkg_tests::publishing::{Place, Publisher, Race, Result, Source};

/// Race publishers against one another on a store that is empty
#[derive(Debug, Parser)]
struct Arguments {
    /// The store's URL
    #[arg(long)]
    store: String,
    /// How many servers share it
    #[arg(long, default_value_t = 1)]
    servers: usize,
    /// How many publish at once, each its own group
    #[arg(long, default_value_t = 16)]
    writers: u8,
    /// How often each publishes
    #[arg(long, default_value_t = 100)]
    rounds: usize,
    /// Where keys and logs go
    #[arg(long)]
    directory: PathBuf,
}

#[allow(clippy::print_stdout, reason = "a tool for developers")]
fn main() -> Result<()> {
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.directory)?;
    let mut publishers = (0..arguments.writers)
        .map(|number| Publisher::new(&format!("com.example.g{number}"), number + 1))
        .collect::<Result<Vec<_>>>()?;
    let place =
        Place { store: arguments.store, environment: Vec::new(), directory: arguments.directory.clone() };
    place.found(&publishers, &[])?;
    let servers = (0..arguments.servers)
        .map(|number| place.serve(&format!("server-{number}"), None, &[]))
        .collect::<Result<Vec<_>>>()?;
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    let race = Race { rounds: arguments.rounds, patience: Duration::from_secs(300) };
    let figures = race.run(&mut publishers, &addresses, &[Source::Servers(addresses.clone())])?;
    println!(
        "acknowledged {} of {}",
        figures.acknowledged,
        usize::from(arguments.writers) * arguments.rounds
    );
    println!("elapsed      {:.1} s", figures.elapsed.as_secs_f64());
    println!("tried again  {}", figures.retries);
    for percent in [50, 95, 100] {
        println!("latency p{percent:<3} {:.0} ms", figures.latency(percent).as_secs_f64() * 1000.0);
    }
    for reader in &figures.readers {
        println!(
            "reader       {} valid states, newest {}, unanswered {}",
            reader.valid, reader.newest, reader.absent
        );
    }
    Ok(())
}
