//! What came of one call, before it is scored.

use std::sync::Arc;
use std::time::Duration;

use super::far::FarSound;
use super::human::HumanWords;
use super::scenario::Scenario;

/// One call as its caller met it.
#[derive(Clone, Debug)]
pub struct Take {
    /// Its number in the run, from 0.
    pub number: usize,
    /// What its caller was to do.
    pub scenario: Arc<Scenario>,
    /// Who rang, as the far end was told: unique in the run.
    pub from: String,
    /// Wall time at which it was placed, ms since 1970.
    pub wall_unix_ms: u64,
    /// From placing it to the answer; none where there was none.
    pub answered_after: Option<Duration>,
    /// How long it lasted from the answer on.
    pub lasted: Duration,
    /// What the caller did, in order.
    pub done: Vec<Done>,
    /// Deeds that came to their turn, with those that were left out.
    pub taken: usize,
    /// What came.
    pub far: FarSound,
    /// Keys that the far end pressed.
    pub far_keys: String,
    /// Whom the far end asked the caller's phone to ring instead (REFER), which it did not.
    pub referred: Option<String>,
    /// What a human would have said, where the run has phones of humans.
    pub human: Option<Arc<HumanWords>>,
    /// How it ended.
    pub ending: Ending,
}

/// One thing that the caller did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// Number of the deed in the scenario.
    pub deed: usize,
    /// From the answer on.
    pub began: Duration,
    /// The same; as it began where the call ended in it.
    pub ended: Duration,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The caller had nothing more to do.
    Done,
    /// The caller hung up at the scenario's limit.
    Limit,
    /// The far end hung up.
    Far,
    /// The far end did not take the call: its SIP status.
    Refused(u16),
    /// It sends the caller elsewhere (a 3xx), and elsewhere is not rung.
    Redirected(u16),
    /// Nobody answered.
    NoAnswer,
    /// Its sound would have gone to an address that was not given.
    Elsewhere(std::net::IpAddr),
    /// Keys were to be pressed, and the far end's answer takes none.
    TakesNoKeys,
    /// It was not placed: why.
    Unplaced(String),
    /// The run was stopped.
    Stopped,
}

impl Ending {
    /// In a word or two, as the report has it.
    #[must_use]
    pub fn told(&self) -> String {
        match self {
            Self::Done => "the caller hung up".to_owned(),
            Self::Limit => "the caller hung up at the limit".to_owned(),
            Self::Far => "the far end hung up".to_owned(),
            Self::Refused(code) => format!("refused with {code}"),
            Self::Redirected(code) => {
                format!("redirected with {code}; ring the other address itself")
            }
            Self::NoAnswer => "nobody answered".to_owned(),
            Self::Elsewhere(address) => {
                format!("its sound is at {address}, which was not given: --allow {address}")
            }
            Self::TakesNoKeys => "it takes no keys: its answer has no telephone-event".to_owned(),
            Self::Unplaced(why) => format!("not placed: {why}"),
            Self::Stopped => "stopped with the run".to_owned(),
        }
    }

    /// Whether there was a call at all.
    #[must_use]
    pub const fn is_a_call(&self) -> bool {
        matches!(self, Self::Done | Self::Limit | Self::Far)
    }
}
