//! What is done beside looking after services, in the same loop.

use rustix::process::WaitStatus;

use crate::service::Site;

/// Does something of its own between two looks at the services.
pub trait Beside {
    /// Has its turn, twice a second. It must not wait.
    fn look(&mut self, site: &mut Site<'_>) {
        let _ = site;
    }

    /// Is told that a process ended that was none of a service.
    fn ended(&mut self, site: &mut Site<'_>, process: u32, status: WaitStatus) {
        let _ = (site, process, status);
    }

    /// Is told that the loop ended. It waits here for what it began.
    fn end(&mut self, site: &mut Site<'_>) {
        let _ = site;
    }
}

/// Does nothing beside.
impl Beside for () {}
