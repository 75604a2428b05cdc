//! Provisional responses that must arrive (RFC 3262). Pure; time is counted in T1.

use std::collections::VecDeque;

/// How long an acknowledgement is waited for, in T1.
const PATIENCE: u32 = 64;
/// Most responses that wait for the one before them.
const MOST_QUEUED: usize = 4;

/// The value of `RAck`: what a PRACK acknowledges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RAck {
    /// `RSeq` of the response.
    pub rseq: u32,
    /// `CSeq` number of the INVITE.
    pub cseq: u32,
}

impl RAck {
    /// Reads `776656 1 INVITE`; `None` where it is none, or of another method.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split_ascii_whitespace();
        let (rseq, cseq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let method = parts.next()?;
        (method == "INVITE" && parts.next().is_none()).then_some(Self { rseq, cseq })
    }
}

impl std::fmt::Display for RAck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} INVITE", self.rseq, self.cseq)
    }
}

/// What T1 more has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat<'a, T> {
    /// Nothing.
    Nothing,
    /// Send this again.
    Again(u32, &'a T),
    /// Nobody acknowledges: refuse the call with 5xx.
    GiveUp,
}

#[derive(Clone, Debug)]
struct Waiting<T> {
    rseq: u32,
    response: T,
    age: u32,
    next: u32,
}

/// The answering side of one INVITE.
#[derive(Clone, Debug)]
pub struct Provisionals<T> {
    cseq: u32,
    next_rseq: u32,
    waiting: Option<Waiting<T>>,
    queued: VecDeque<T>,
}

impl<T> Provisionals<T> {
    /// Of the INVITE with this `CSeq`; the first `RSeq` is drawn by lot (RFC 3262 §3).
    #[must_use]
    pub fn new(cseq: u32, lot: u32) -> Self {
        // From 1 to 2³¹ − 1.
        let next_rseq = (lot >> 1).max(1);
        Self { cseq, next_rseq, waiting: None, queued: VecDeque::new() }
    }

    /// Takes a response; what to send now: none while an earlier one is not acknowledged.
    pub fn push(&mut self, response: T) -> Option<(u32, &T)> {
        if self.waiting.is_some() {
            // News of the call's progress that nobody acknowledges is worth nothing.
            if self.queued.len() < MOST_QUEUED {
                self.queued.push_back(response);
            }
            return None;
        }
        let rseq = self.next_rseq;
        self.next_rseq = if rseq >= (1 << 31) - 1 { 1 } else { rseq + 1 };
        let waiting = self.waiting.insert(Waiting { rseq, response, age: 0, next: 1 });
        Some((rseq, &waiting.response))
    }

    /// The response that is not acknowledged yet.
    #[must_use]
    pub fn waiting(&self) -> Option<&T> {
        self.waiting.as_ref().map(|it| &it.response)
    }

    /// Takes a PRACK: the response that it acknowledges, `None` for a stray (481). What was
    /// queued goes out by [`Self::advance`] then.
    pub fn acknowledge(&mut self, rack: RAck) -> Option<T> {
        let fits = |it: &mut Waiting<T>| RAck { rseq: it.rseq, cseq: self.cseq } == rack;
        self.waiting.take_if(fits).map(|it| it.response)
    }

    /// The next of what was queued, to be sent now.
    pub fn advance(&mut self) -> Option<(u32, &T)> {
        if self.waiting.is_some() {
            return None;
        }
        let response = self.queued.pop_front()?;
        self.push(response)
    }

    /// T1 has passed: sent again after 1, 3, 7, 15, 31 T1, given up after 64.
    pub fn beat(&mut self) -> Beat<'_, T> {
        let Some(waiting) = self.waiting.as_mut() else { return Beat::Nothing };
        waiting.age += 1;
        if waiting.age >= PATIENCE {
            return Beat::GiveUp;
        }
        if waiting.age != waiting.next {
            return Beat::Nothing;
        }
        waiting.next = waiting.next * 2 + 1;
        Beat::Again(waiting.rseq, &waiting.response)
    }
}

/// What a reliable response is to the side that called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// News: acknowledge.
    New,
    /// Seen before; its PRACK is on its way.
    Repeated,
    /// One before it is missing: drop it (RFC 3262 §4).
    TooEarly,
}

/// The calling side of one early dialog.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrivals {
    last: Option<u32>,
}

impl Arrivals {
    /// Takes an `RSeq`.
    pub fn take(&mut self, rseq: u32) -> Arrival {
        match self.last {
            Some(last) if rseq <= last => Arrival::Repeated,
            Some(last) if rseq > last + 1 => Arrival::TooEarly,
            Some(_) | None => {
                self.last = Some(rseq);
                Arrival::New
            }
        }
    }
}

#[cfg(test)]
mod tests;
