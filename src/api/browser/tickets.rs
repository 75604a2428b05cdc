//! Call tokens: each opens one call, of one flow, for a while. Pure.

use std::collections::HashMap;
use std::time::Duration;

use crate::store::token_hash;

/// Tokens that have not been used at most; beyond, the oldest go.
const TICKETS_MAX: usize = 10_000;
/// How long a token that was used, or is too old, is still told so.
const REMEMBERED: Duration = Duration::from_secs(600);

/// Why a token does not open a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TicketFault {
    /// It is none of ours, or of long ago.
    Unknown,
    /// It is too old.
    Expired,
    /// It has opened a call.
    Spent,
    /// It is for another flow.
    WrongFlow,
}

#[derive(Debug)]
struct Ticket {
    flow: String,
    until: Duration,
    spent: bool,
}

/// The tokens given, by their hash.
#[derive(Debug)]
pub(super) struct Tickets {
    opens: Duration,
    given: HashMap<String, Ticket>,
}

impl Tickets {
    pub(super) fn new(opens: Duration) -> Self {
        Self { opens, given: HashMap::new() }
    }

    /// Remembers a token that was made for a flow.
    pub(super) fn give(&mut self, token: &str, flow: &str, now: Duration) {
        if self.given.len() >= TICKETS_MAX {
            self.forget(now);
        }
        let ticket = Ticket { flow: flow.to_owned(), until: now + self.opens, spent: false };
        self.given.insert(token_hash(token), ticket);
    }

    /// Uses a token up; gives its flow.
    pub(super) fn spend(
        &mut self,
        token: &str,
        flow: Option<&str>,
        now: Duration,
    ) -> Result<String, TicketFault> {
        let ticket = self.given.get_mut(&token_hash(token)).ok_or(TicketFault::Unknown)?;
        if ticket.spent {
            return Err(TicketFault::Spent);
        }
        if now > ticket.until {
            return Err(TicketFault::Expired);
        }
        if flow.is_some_and(|flow| flow != ticket.flow) {
            return Err(TicketFault::WrongFlow);
        }
        ticket.spent = true;
        Ok(ticket.flow.clone())
    }

    fn forget(&mut self, now: Duration) {
        self.given.retain(|_, ticket| now < ticket.until + REMEMBERED && !ticket.spent);
        while self.given.len() >= TICKETS_MAX {
            let oldest = self.given.iter().min_by_key(|(_, ticket)| ticket.until);
            let Some(oldest) = oldest.map(|(hash, _)| hash.clone()) else { return };
            self.given.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_one_call_of_its_flow_in_its_time() {
        let at = Duration::from_secs;
        let mut tickets = Tickets::new(at(60));
        tickets.give("a", "parcel", at(0));
        assert_eq!(tickets.spend("b", None, at(1)), Err(TicketFault::Unknown));
        assert_eq!(tickets.spend("a", Some("bank"), at(1)), Err(TicketFault::WrongFlow));
        assert_eq!(tickets.spend("a", Some("parcel"), at(60)), Ok("parcel".to_owned()));
        assert_eq!(tickets.spend("a", None, at(60)), Err(TicketFault::Spent));
        tickets.give("c", "parcel", at(0));
        assert_eq!(tickets.spend("c", None, at(61)), Err(TicketFault::Expired));
    }

    #[test]
    fn tokens_without_end_are_bounded_and_the_newest_open() {
        let mut tickets = Tickets::new(Duration::from_secs(60));
        for n in 0..TICKETS_MAX + 100 {
            let now = Duration::from_millis(n as u64);
            tickets.give(&n.to_string(), "parcel", now);
        }
        assert!(tickets.given.len() <= TICKETS_MAX);
        let last = (TICKETS_MAX + 99).to_string();
        assert!(tickets.spend(&last, None, Duration::from_secs(11)).is_ok());
    }
}
