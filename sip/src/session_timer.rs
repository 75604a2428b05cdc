//! Session timers (RFC 4028): a call whose far end vanished without a word ends by itself. Pure.
//!
//! ```text
//!  0            interval/2                     interval − min(32 s, interval/3)      interval
//!  ├────────────────┼───────────────────────────────────┼──────────────────────────────┤
//!  agreed     we refresh, if that is ours          whoever was not refreshed hangs up
//! ```
//!
//! Roles in headers are those of the one transaction that carries them: `uac` is who sent it.

use std::fmt;
use std::time::Duration;

/// The recommended interval (RFC 4028 §4).
pub const EXPIRES_S: u32 = 1_800;
/// The least that any side may be asked for (RFC 4028 §5).
pub const MIN_SE_S: u32 = 90;
/// Longer intervals are as good as none.
pub const LONGEST_S: u32 = 86_400;
/// Granted to us by a peer that knows no Min-SE; a shorter one would be a flood of refreshes.
const LEAST_GRANTED_S: u32 = 4;

/// What we ask for and what we bear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The interval that we propose, and the longest that we grant.
    pub expires_s: u32,
    /// The shortest that we grant.
    pub min_se_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { expires_s: EXPIRES_S, min_se_s: MIN_SE_S }
    }
}

/// A side of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who sent the request.
    Uac,
    /// Who answers it.
    Uas,
}

/// The value of `Session-Expires`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expires {
    /// The interval.
    pub interval_s: u32,
    /// Who is to refresh; open in most requests.
    pub refresher: Option<Role>,
}

impl Expires {
    /// Reads `1800;refresher=uac`; `None` where it is none.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let interval_s = seconds(parts.next()?)?;
        let refresher = parts.find_map(|part| {
            let (name, role) = part.split_once('=')?;
            let role = role.trim();
            match name.trim().eq_ignore_ascii_case("refresher") {
                true if role.eq_ignore_ascii_case("uac") => Some(Role::Uac),
                true if role.eq_ignore_ascii_case("uas") => Some(Role::Uas),
                true | false => None,
            }
        });
        Some(Self { interval_s, refresher })
    }
}

impl fmt::Display for Expires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refresher {
            None => write!(f, "{}", self.interval_s),
            Some(Role::Uac) => write!(f, "{};refresher=uac", self.interval_s),
            Some(Role::Uas) => write!(f, "{};refresher=uas", self.interval_s),
        }
    }
}

/// Reads `Min-SE`, or any number of seconds that may have parameters behind it.
#[must_use]
pub fn seconds(value: &str) -> Option<u32> {
    let digits = value.split(';').next()?.trim();
    let sound = !digits.is_empty() && digits.bytes().all(|it| it.is_ascii_digit());
    // More digits than fit are a long time.
    sound.then(|| digits.parse().unwrap_or(u32::MAX).min(LONGEST_S))
}

/// What a request says about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// `Session-Expires`.
    pub expires: Option<Expires>,
    /// `Min-SE`.
    pub min_se_s: Option<u32>,
    /// Whether `Supported` or `Require` names `timer`.
    pub supported: bool,
}

/// 422: the interval is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("peer misbehaved: session interval below {min_se_s} s")]
pub struct TooSmall {
    /// `Min-SE` of the answer.
    pub min_se_s: u32,
}

/// What a 2xx of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Granted {
    /// `Session-Expires`.
    pub expires: Expires,
    /// Whether `Require: timer` goes with it.
    pub required: bool,
}

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    /// Refresh, and say so by [`SessionTimer::refreshing`].
    Refresh,
    /// Hang up: nobody has refreshed.
    HangUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Running {
    interval_s: u32,
    ours: bool,
    /// When we refresh, where it is ours to do.
    refresh_at: Duration,
    ends_at: Duration,
    on_its_way: bool,
}

/// The timer of one dialog. `now` is any clock that begins with the dialog.
///
/// ```
/// use std::time::Duration;
/// use cordboard_sip::session_timer::{Asked, Due, Limits, SessionTimer};
/// let mut timer = SessionTimer::new(Limits::default());
/// let granted = timer.answer(Duration::ZERO, &Asked::default())?;
/// assert_eq!(granted.expires.to_string(), "1800;refresher=uas");
/// assert_eq!(timer.poll(Duration::from_secs(899)), None);
/// assert_eq!(timer.poll(Duration::from_secs(900)), Some(Due::Refresh));
/// # Ok::<(), cordboard_sip::session_timer::TooSmall>(())
/// ```
#[derive(Clone, Debug)]
pub struct SessionTimer {
    limits: Limits,
    /// The highest Min-SE that this dialog has met.
    min_se_s: u32,
    running: Option<Running>,
}

impl SessionTimer {
    /// Not running yet.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        let min_se_s = limits.min_se_s.min(LONGEST_S);
        let expires_s = limits.expires_s.clamp(min_se_s, LONGEST_S);
        Self { limits: Limits { expires_s, min_se_s }, min_se_s, running: None }
    }

    /// Whether a request asks for less than we bear (RFC 4028 §9). Who does not know timers is
    /// not refused: a proxy on the way asked then.
    ///
    /// # Errors
    /// [`TooSmall`], to be answered 422.
    pub fn check(&self, asked: &Asked) -> Result<(), TooSmall> {
        let small = asked.expires.is_some_and(|it| it.interval_s < self.limits.min_se_s);
        match small && asked.supported {
            true => Err(TooSmall { min_se_s: self.limits.min_se_s }),
            false => Ok(()),
        }
    }

    /// Accepts an INVITE or UPDATE of theirs; the timer starts anew (RFC 4028 §9, table 2).
    ///
    /// # Errors
    /// [`TooSmall`]; nothing has changed then.
    pub fn answer(&mut self, now: Duration, asked: &Asked) -> Result<Granted, TooSmall> {
        self.check(asked)?;
        self.min_se_s = self.min_se_s.max(asked.min_se_s.unwrap_or(0));
        let wish = asked.expires.map(|it| it.interval_s);
        let interval_s = wish.map_or(self.limits.expires_s, |it| it.min(self.limits.expires_s));
        let interval_s = interval_s.max(asked.min_se_s.unwrap_or(0)).max(self.limits.min_se_s);
        let wanted = asked.expires.and_then(|it| it.refresher).unwrap_or(Role::Uac);
        let refresher = if asked.supported { wanted } else { Role::Uas };
        self.start(now, interval_s, refresher == Role::Uas);
        let expires = Expires { interval_s, refresher: Some(refresher) };
        Ok(Granted { expires, required: refresher == Role::Uac })
    }

    /// `Session-Expires` of a request of ours.
    #[must_use]
    pub fn proposal(&self) -> Expires {
        let (interval_s, refresher) = match self.running {
            // Whose it was it stays.
            Some(it) => (it.interval_s, Some(if it.ours { Role::Uac } else { Role::Uas })),
            None => (self.limits.expires_s, None),
        };
        Expires { interval_s: interval_s.max(self.min_se_s), refresher }
    }

    /// `Min-SE` of a request of ours.
    #[must_use]
    pub const fn min_se_s(&self) -> u32 {
        self.min_se_s
    }

    /// Our INVITE or UPDATE was accepted, with this `Session-Expires`; without any, the session
    /// has no end (RFC 4028 §7.2).
    pub fn accepted(&mut self, now: Duration, granted: Option<Expires>) {
        match granted {
            Some(it) => {
                let interval_s = it.interval_s.max(LEAST_GRANTED_S);
                self.start(now, interval_s, it.refresher != Some(Role::Uas));
            }
            None => self.running = None,
        }
    }

    /// Our request was answered 422 with this `Min-SE`; whether to try again with more.
    pub fn raise(&mut self, min_se_s: Option<u32>) -> bool {
        let asked = self.proposal().interval_s;
        let Some(least) = min_se_s.filter(|it| *it > asked && *it <= LONGEST_S) else {
            return false;
        };
        self.min_se_s = self.min_se_s.max(least);
        true
    }

    /// A refresh is on its way: none other begins until its answer.
    pub fn refreshing(&mut self) {
        if let Some(running) = self.running.as_mut() {
            running.on_its_way = true;
        }
    }

    /// A refresh of ours was refused. `true`: hang up, the far end is gone (RFC 4028 §10); else it
    /// is tried again half-way to the end.
    pub fn refused(&mut self, now: Duration, code: u16) -> bool {
        if let Some(running) = self.running.as_mut() {
            running.on_its_way = false;
            let left = running.ends_at.saturating_sub(now) / 2;
            let pause = if code == 422 { Duration::ZERO } else { left };
            running.refresh_at = now + pause.max(Duration::from_secs(1));
        }
        matches!(code, 408 | 481)
    }

    /// What is due.
    #[must_use]
    pub fn poll(&self, now: Duration) -> Option<Due> {
        let running = self.running.as_ref()?;
        if now >= running.ends_at {
            return Some(Due::HangUp);
        }
        let due = running.ours && !running.on_its_way && now >= running.refresh_at;
        due.then_some(Due::Refresh)
    }

    fn start(&mut self, now: Duration, interval_s: u32, ours: bool) {
        let interval = Duration::from_secs(interval_s.into());
        let margin = Duration::from_secs(32).min(interval / 3);
        self.running = Some(Running {
            interval_s,
            ours,
            refresh_at: now + interval / 2,
            ends_at: now + interval - margin,
            on_its_way: false,
        });
    }
}

#[cfg(test)]
mod tests;
