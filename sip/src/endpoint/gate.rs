//! What every transport asks before a message costs anything: is its source listened to, what is
//! it, and is there room for it.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transport::SipConnection;

use super::Tally;
use super::wire::{self, Verdict};
use crate::access::Access;
use crate::bans::{Bans, Offence};

/// Messages on their way into rsipstack, whose own queue has no bound. What comes by datagram
/// above it is dropped, for it will be repeated; a stream waits.
const MOST_UNDER_WAY: usize = 1024;

/// What becomes of a message.
pub(super) enum Judgement {
    /// rsipstack shall have it.
    Pass(Box<SipMessage>),
    /// Blank lines.
    KeepAlive,
    /// Answered here, or by silence.
    Refuse(Option<Vec<u8>>),
}

/// See the module.
pub(super) struct Gate {
    access: Access,
    bans: Mutex<Bans>,
    tally: Arc<Tally>,
    now_ms: AtomicU64,
    under_way: AtomicUsize,
}

impl Gate {
    pub(super) fn new(access: Access, tally: Arc<Tally>) -> Self {
        let bans = Mutex::new(Bans::new(access.ban_rule()));
        Self { access, bans, tally, now_ms: AtomicU64::new(0), under_way: AtomicUsize::new(0) }
    }

    /// Tells how long the endpoint has been there.
    pub(super) fn set_now(&self, now: Duration) {
        let ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.now_ms.store(ms, Ordering::Relaxed);
    }

    fn now(&self) -> Duration {
        Duration::from_millis(self.now_ms.load(Ordering::Relaxed))
    }

    fn bans(&self) -> MutexGuard<'_, Bans> {
        self.bans.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sources banned at present.
    pub(super) fn banned(&self) -> usize {
        self.bans().banned(self.now())
    }

    /// Whether a message of this source is looked at at all. A response always is: it is dropped
    /// soon enough where nobody has asked.
    pub(super) fn hears(&self, source: IpAddr, message: &[u8]) -> bool {
        let is_heard = self.access.trusts(source)
            || wire::is_response(message)
            || !self.bans().is_banned(self.now(), source);
        if !is_heard {
            Tally::count(&self.tally.banned);
        }
        is_heard
    }

    /// Counts what a source has no right to; whether it may be told so.
    pub(super) fn offended(&self, source: IpAddr) -> bool {
        if self.access.knows(source) {
            return true;
        }
        let offence = self.bans().offended(self.now(), source);
        if offence == Offence::Banned {
            tracing::warn!(%source, "banned: too many requests that it has no right to");
        }
        offence == Offence::Counted
    }

    /// Judges a message: a datagram, or what was cut out of a stream.
    pub(super) fn judge(
        &self,
        message: &[u8],
        from: SocketAddr,
        transport: Transport,
    ) -> Judgement {
        let answer = match wire::inspect(message) {
            Verdict::Message(answer) => {
                let parsed = SipMessage::try_from(message)
                    .ok()
                    .and_then(|it| SipConnection::update_msg_received(it, from, transport).ok());
                if let Some(parsed) = parsed {
                    return Judgement::Pass(Box::new(parsed));
                }
                answer
            }
            Verdict::KeepAlive => return Judgement::KeepAlive,
            Verdict::Wrong(answer) => Some(answer),
            Verdict::Scanner => {
                Tally::count(&self.tally.scanners);
                self.offended(from.ip());
                return Judgement::Refuse(None);
            }
            Verdict::Garbage => None,
        };
        Tally::count(&self.tally.malformed);
        self.offended(from.ip());
        // A stranger is told nothing, and cannot have us tell it to somebody else.
        Judgement::Refuse(answer.filter(|_| self.access.trusts(from.ip())))
    }

    /// The answer to what a stream was lost at, for those who may have one.
    pub(super) fn lost(&self, bytes: &[u8], source: IpAddr, code: u16) -> Option<Vec<u8>> {
        Tally::count(&self.tally.malformed);
        self.offended(source);
        self.access.trusts(source).then(|| wire::farewell(bytes, code)).flatten()
    }

    /// Takes a place on the way into rsipstack, if there is one.
    pub(super) fn enter(&self) -> bool {
        let place = |it: usize| (it < MOST_UNDER_WAY).then_some(it + 1);
        self.under_way.fetch_update(Ordering::AcqRel, Ordering::Acquire, place).is_ok()
    }

    /// Gives the place back: rsipstack has the message.
    pub(super) fn leave(&self) {
        let less = |it: usize| it.checked_sub(1);
        // Messages of connections that rsipstack opened itself have taken none.
        let _ = self.under_way.fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
    }
}
