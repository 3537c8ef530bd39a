//! Deployments: no text makes the parsers panic, and no host of what they accept makes the resolution panic.
#![no_main]

use copkg_spec::deployment::{Deployment, Environment, Lock, resolve};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (deployment, environment) = texts;
    let _ = Lock::parse(environment);
    let Ok(deployment) = Deployment::parse(deployment) else { return };
    let Ok(name) = "fuzzed".parse() else { return };
    let Ok(environment) = Environment::parse(&name, environment, &deployment) else { return };
    for host in environment.hosts.keys() {
        let _ = resolve(&deployment, &environment, host);
    }
});
