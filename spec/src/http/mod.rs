//! HTTP, as far as it is a matter of rules: what is asked for, what an answer means, what is tried again and when, which redirects
//! are followed, and which proxy is in between.
//!
//! Comes before every program's own client, which opens connections and knows the clock. The rules are meant for any server that
//! has files: what lies in the bytes is verified later, so nothing here is believed, and a file whose address holds its digest
//! needs no validator to be resumed.

mod answer;
mod host;
mod pause;
mod proxy;
mod redirect;
mod request;

pub use answer::{Answer, Refusal, is_for_now, parse_content_range};
pub use host::{FailedAt, is_unknown_host, lasting, proxy_refuses};
pub use pause::{Backoff, retry_after};
pub use proxy::{Proxies, ProxyError};
pub use redirect::{MAX_REDIRECTS, RedirectError, check_redirect};
pub use request::{Asked, Manner, names_its_digest, revalidates, strong_validator};
