//! One request and its answer, by the rules of [`copkg_spec::http`].

use std::io::{self, Read as _};
use std::sync::atomic::Ordering;

use copkg_spec::http::{Answer, Asked, Manner, Refusal, names_its_digest, revalidates};
use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_RANGE, DATE, HeaderName, IF_NONE_MATCH, IF_RANGE, RANGE,
    RETRY_AFTER,
};

use super::super::FetchError;
use super::super::error::{Attempt, permanent};
use super::super::part::validator;
use super::super::small::Coding;
use super::{Failed, HttpStream, attempt_of};

impl HttpStream<'_> {
    fn asked(&self) -> Asked {
        let manner = if self.no_ranges.load(Ordering::Relaxed) { Manner::Whole } else { self.manner };
        Asked {
            from: self.position,
            to: self.end,
            length: self.file_length,
            manner,
            unless_held: self.held.is_some(),
        }
    }

    pub(super) fn request(&mut self) -> Result<Response, Failed> {
        let client = self.fetcher.client().map_err(Failed::ForGood)?;
        let asked = self.asked();
        let request = client.get(self.url.clone()).header(ACCEPT_ENCODING, self.accepted.name());
        let request = self.conditions(request, &asked);
        let response = request.send().map_err(|error| self.not_sent(&error))?;
        self.date = response.headers().get(DATE).cloned();
        let text = |name: HeaderName| response.headers().get(name)?.to_str().ok();
        let status = response.status();
        let length = response.content_length();
        match asked.judge(status.as_u16(), text(CONTENT_RANGE), length, text(RETRY_AFTER)) {
            Answer::Body { skip, length, is_part } => {
                self.check_same(&response)?;
                self.file_length = length.or(self.file_length);
                self.answered = if is_part { self.answered_to(&asked) } else { None };
                self.has_ranges |= is_part;
                skip_bytes(response, skip)
            }
            Answer::Unchanged => Err(Failed::Unchanged),
            Answer::Again(manner) => Err(Failed::OtherWay(manner)),
            Answer::Later(asked) => Err(Failed::Now(Attempt::Status(status.to_string()), asked)),
            Answer::Refused(refusal) => Err(Failed::ForGood(self.refused(refusal, status.to_string()))),
        }
    }

    /// Returns where the answer to a part ends: nothing when it goes on to the end of the file.
    fn answered_to(&self, asked: &Asked) -> Option<u64> {
        self.end.filter(|_| asked.manner == Manner::Bounded)
    }

    fn conditions(&self, mut request: RequestBuilder, asked: &Asked) -> RequestBuilder {
        if let Some(credentials) = &self.credentials {
            request = credentials.apply(request);
        }
        if revalidates(self.url.path()) {
            request = request.header(CACHE_CONTROL, "no-cache");
        }
        if let Some(held) = &self.held {
            return request.header(IF_NONE_MATCH, format!("\"{held}\""));
        }
        let Some(range) = asked.range() else { return request };
        request = request.header(RANGE, range);
        match &self.validator {
            Some(validator) => request.header(IF_RANGE, validator),
            None => request,
        }
    }

    /// Checks that the file is still the one that the first request began with, where only a server's word tells.
    fn check_same(&mut self, response: &Response) -> Result<(), Failed> {
        let found = validator(response).filter(|_| !names_its_digest(self.url.path()));
        let coding = Coding::of(response);
        let changed = match (&self.validator, &found) {
            (Some(old), Some(new)) => old != new,
            _ => self.position > 0 && coding != self.coding,
        };
        self.coding = coding;
        if changed {
            return Err(Failed::ForGood(FetchError::Changed { place: self.place() }));
        }
        self.validator = self.validator.take().or(found);
        Ok(())
    }

    fn not_sent(&self, error: &reqwest::Error) -> Failed {
        let proxy = self.fetcher.proxy_for(&self.url);
        match permanent(error, &self.url, proxy.as_deref()) {
            Some(error) => Failed::ForGood(error),
            None => Failed::Now(Attempt::network(error, proxy.as_deref()), None),
        }
    }

    fn refused(&self, refusal: Refusal, status: String) -> FetchError {
        let place = self.place();
        match refusal {
            Refusal::NotFound => FetchError::NotFound { place },
            Refusal::Unauthorized => FetchError::Unauthorized { place, status },
            Refusal::ProxyUnauthorized => {
                let proxy = self.fetcher.proxy_for(&self.url).unwrap_or_else(|| "in between".to_owned());
                FetchError::Proxy { proxy, place }
            }
            Refusal::Shorter => FetchError::Changed { place },
            Refusal::Other => FetchError::Refused { place, status },
        }
    }
}

/// Reads over what comes before the bytes that were asked for.
fn skip_bytes(mut response: Response, skip: u64) -> Result<Response, Failed> {
    match io::copy(&mut response.by_ref().take(skip), &mut io::sink()) {
        Ok(got) if got == skip => Ok(response),
        Ok(got) => Err(Failed::Now(Attempt::Short { got, expected: skip }, None)),
        Err(error) => Err(Failed::Now(attempt_of(&error), None)),
    }
}
