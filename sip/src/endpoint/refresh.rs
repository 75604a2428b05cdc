//! Session timers in messages (RFC 4028): header fields to the pure timer, and back.

use std::time::Duration;

use rsipstack::sip::headers::{Headers, make_header};
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Header, Request, Response};

use super::Core;
use super::dialog::{Reply, SUPPORTED, names};
use crate::session_timer::{Asked, Expires, Granted, SessionTimer, seconds};

/// T1 in a second of the standard's.
const T1_IN_A_SECOND: u32 = 2;

/// The timer of a leg and its clock, which counts seconds.
pub(super) struct Session {
    pub(super) timer: SessionTimer,
    seconds: u64,
}

impl Session {
    pub(super) fn new(core: &Core) -> Self {
        Self { timer: SessionTimer::new(core.timers()), seconds: 0 }
    }

    /// How long a second is: shorter where T1 is.
    pub(super) fn second(core: &Core) -> Duration {
        core.t1() * T1_IN_A_SECOND
    }

    pub(super) const fn now(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub(super) const fn count(&mut self) {
        self.seconds += 1;
    }

    /// Header fields of our 2xx to a request of theirs; the timer starts.
    pub(super) fn grant(&mut self, request: &Request) -> Vec<Header> {
        let now = self.now();
        // What was too small has been refused on arrival.
        self.timer.answer(now, &asked(&request.headers)).map_or_else(|_| Vec::new(), granted)
    }

    /// Header fields of a request of ours.
    pub(super) fn propose(&self) -> Vec<Header> {
        proposal(&self.timer)
    }

    /// Our request was accepted.
    pub(super) fn accepted(&mut self, response: &Response) {
        let granted = response.header_value("Session-Expires");
        self.timer.accepted(self.now(), granted.and_then(|it| Expires::parse(&it)));
    }

    /// Our request was refused; whether the far end is gone.
    pub(super) fn refused(&mut self, response: Option<&Response>) -> bool {
        let code = response.map_or(503, |it| it.status_code.code());
        if code == 422 {
            self.timer.raise(min_se(response));
        }
        self.timer.refused(self.now(), code)
    }
}

/// Header fields of an INVITE or UPDATE of ours.
pub(super) fn proposal(timer: &SessionTimer) -> Vec<Header> {
    vec![
        make_header("Supported", SUPPORTED.join(", ")),
        make_header("Session-Expires", timer.proposal().to_string()),
        make_header("Min-SE", timer.min_se_s().to_string()),
    ]
}

/// `Min-SE` of a 422.
pub(super) fn min_se(response: Option<&Response>) -> Option<u32> {
    response?.header_value("Min-SE").and_then(|it| seconds(&it))
}

/// 422 for an INVITE or UPDATE whose interval is too small.
pub(super) fn objection(core: &Core, request: &Request) -> Option<Reply<'static>> {
    let small = SessionTimer::new(core.timers()).check(&asked(&request.headers)).err()?;
    let headers = vec![make_header("Min-SE", small.min_se_s.to_string())];
    Some(Reply { headers, ..Reply::status(422) })
}

fn asked(headers: &Headers) -> Asked {
    let value = |name: &str| {
        let found = headers.iter().find(|it| it.name().eq_ignore_ascii_case(name));
        found.map(|it| it.value().to_owned())
    };
    Asked {
        expires: value("Session-Expires").and_then(|it| Expires::parse(&it)),
        min_se_s: value("Min-SE").and_then(|it| seconds(&it)),
        supported: names(headers, "Supported", "timer") || names(headers, "Require", "timer"),
    }
}

fn granted(granted: Granted) -> Vec<Header> {
    let mut headers = vec![make_header("Session-Expires", granted.expires.to_string())];
    if granted.required {
        headers.push(make_header("Require", "timer".to_owned()));
    }
    headers
}
