//! Looks after services where no systemd does: in containers and on laptops.
//!
//! Starts again what should run and does not, with growing pauses and a limit; asks services whether they are well; puts
//! logs aside. It runs nothing itself: each act is a `pkginstall` of its own, so a service is never its child, and it may end
//! and begin again at any time without any service noticing. What runs when it begins is taken as it is.

mod beside;
mod limit;
mod polling;
mod watch;

pub use beside::Beside;
pub use limit::{Limit, Next};
pub use polling::{PollPlan, Polling};
pub use watch::{Supervision, supervise};
