//! `pkginstall supervise`.

use clap::Args;
use copkg_spec::command::{Exit, Failure};

use super::Context;
use super::select::Selector;
use super::start::at_site;
use crate::service::ServiceError;
use crate::supervise::{Supervision, supervise};

/// The arguments of `supervise`.
#[derive(Debug, Args)]
#[command(
    after_help = "It runs until INT or TERM, and the services run on when it ends. `pkginstall stop` is obeyed: what was stopped stays so."
)]
pub(super) struct Supervise {
    /// The services, or patterns of services such as *.web.prod.*; all of the prefix, also later ones, if none is named
    #[arg(value_name = "SERVICE")]
    services: Vec<Selector>,
    /// How often in a row a service is started again before it is left alone for a while
    #[arg(long, default_value_t = 10, value_name = "N")]
    starts: u32,
}

pub(super) fn run(args: &Supervise, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let program = context.ambient.program.clone().ok_or(ServiceError::Program)?;
    let how = Supervision { program, most_starts: args.starts };
    at_site(context, |site| {
        let selected = |service: &_| {
            args.services.is_empty() || args.services.iter().any(|selector| selector.matches(service))
        };
        supervise(site, &how, &selected, &mut ())
    })?;
    Ok(Exit::Ok)
}
