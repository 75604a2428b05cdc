//! The footing of a leg: sound that flows one way only, and a hold without end.
//!
//! A leg from which nothing comes is noted within five seconds, and the far end is asked once to
//! agree anew: a codec of its own, a lost address or a half-done change are mended so. What the
//! caller is then asked, and when the call ends, is in `ending`.

use std::time::Duration;

use cordboard_audio::MediaTime;

use super::leg::Leg;
use super::{Call, CallError, LegCommand, Output, Phase};
use crate::escalation::Input as Escalating;
use crate::timeline::{LegRole, OneWayCause, What};

/// Without sound for so long, a leg is one-way; below the five seconds that it is promised in.
const ONE_WAY: Duration = Duration::from_millis(4_500);

/// What is remembered of one leg's footing.
#[derive(Debug, Default)]
pub(super) struct Footing {
    one_way: bool,
    renegotiated: bool,
    /// Packets of no use when sound was last heard.
    garbage: u64,
    held_since: Option<MediaTime>,
}

impl Footing {
    /// The far end holds us, or takes us back.
    pub(super) const fn held(&mut self, now: MediaTime, held: bool) {
        self.held_since = if held { Some(now) } else { None };
    }

    fn held_for(&self, now: MediaTime) -> Duration {
        self.held_since.map_or(Duration::ZERO, |since| now.since(since))
    }
}

impl Call {
    /// Looks after both legs; once a tick.
    pub(super) fn mind_footing(&mut self, now: MediaTime) -> Result<(), CallError> {
        if !matches!(self.phase, Phase::Talking | Phase::HandedOver) {
            return Ok(());
        }
        if let Some(what) = watch(&mut self.caller, LegRole::Caller, now) {
            self.one_way(now, LegRole::Caller, what);
        }
        let agent = self.agent.as_mut().filter(|agent| agent.sending);
        if let Some(what) = agent.and_then(|agent| watch(agent, LegRole::Agent, now)) {
            self.one_way(now, LegRole::Agent, what);
        }
        let limit = self.settings.hold_end;
        let agent_holds =
            self.agent.as_ref().is_some_and(|agent| agent.footing.held_for(now) >= limit);
        if agent_holds {
            self.drop_agent(now, HELD_TOO_LONG);
            self.escalate(now, Escalating::AgentLeft { dial: self.dial })?;
        }
        if self.caller.footing.held_for(now) >= limit {
            return self.hang_up(now, HELD_TOO_LONG);
        }
        Ok(())
    }

    fn one_way(&mut self, now: MediaTime, role: LegRole, (what, renegotiate): (What, bool)) {
        self.note(now, what);
        if renegotiate {
            self.out.push_back(Output::Leg(role, LegCommand::Renegotiate));
        }
    }
}

/// Why a call ends whose far end held us and never came back.
const HELD_TOO_LONG: &str = "held too long";

/// The entry where a leg has just become one-way, and whether to agree anew: once a leg.
fn watch(leg: &mut Leg, role: LegRole, now: MediaTime) -> Option<(What, bool)> {
    let starved = leg.starved(now);
    if starved < ONE_WAY {
        if starved < Duration::from_secs(1) {
            leg.footing.garbage = leg.garbage;
            leg.footing.one_way = false;
        }
        return None;
    }
    if std::mem::replace(&mut leg.footing.one_way, true) {
        return None;
    }
    let renegotiate = !std::mem::replace(&mut leg.footing.renegotiated, true);
    let cause = match leg.garbage > leg.footing.garbage {
        true => OneWayCause::NotAgreed,
        false => OneWayCause::Nothing,
    };
    let for_ms = u64::try_from(starved.as_millis()).unwrap_or(u64::MAX);
    Some((What::OneWay { role, cause, for_ms }, renegotiate))
}
