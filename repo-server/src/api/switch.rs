//! A switch: what answers may become another while connections are served. A plain directory becomes a repository when its first
//! mirror run is over, or when somebody founds one in it.

use hyper::body::Incoming;
use hyper::service::Service;
use tokio::sync::watch;

use super::Answers;

/// What answers now. Clones are one.
#[derive(Debug, Clone)]
pub struct Switch(watch::Receiver<Answers>);

impl Switch {
    /// Begins with `answers`; what is sent to the other half answers from then on.
    pub fn new(answers: Answers) -> (watch::Sender<Answers>, Self) {
        let (sender, receiver) = watch::channel(answers);
        (sender, Self(receiver))
    }
}

impl Service<axum::http::Request<Incoming>> for Switch {
    type Response = <Answers as Service<axum::http::Request<Incoming>>>::Response;
    type Error = <Answers as Service<axum::http::Request<Incoming>>>::Error;
    type Future = <Answers as Service<axum::http::Request<Incoming>>>::Future;

    fn call(&self, request: axum::http::Request<Incoming>) -> Self::Future {
        self.0.borrow().call(request)
    }
}
