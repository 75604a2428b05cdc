//! When to register with a trunk (RFC 3261 §10.2). Pure: time and chance are arguments.
//!
//! ```text
//!           accepted                   80 to 90 % of the expiry
//!   Due ───────────────► Registered ────────────────────────────► Due
//!    ▲ ╲ no answer, 5xx                                            
//!    │  ╲ pause 1 to 1.5 s        refused: pause 5 s, doubled up to 60 s
//!    └───┘
//! ```
//!
//! Whatever happens, two requests are [`SPACING`] apart. A challenge's second request is one
//! exchange with the first, and is not counted.

use std::time::Duration;

use rand::{Rng, SeedableRng, rngs::StdRng};

/// Least time between the begins of two attempts.
pub const SPACING: Duration = Duration::from_secs(1);
/// How long an attempt is waited for.
pub const ATTEMPT: Duration = Duration::from_secs(3);
/// Longest pause after nothing was answered: with [`ATTEMPT`], we are back 5 s after the trunk.
const PAUSE_MAX: Duration = Duration::from_millis(1_500);
/// Pauses after a refusal, which asking again seldom helps.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);
const REFUSED_PAUSE_MAX: Duration = Duration::from_secs(60);
/// Shortest and longest expiry that we believe.
const EXPIRY_S: std::ops::RangeInclusive<u32> = 10..=86_400;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 200: registered for so long.
    Accepted {
        /// `expires` of our contact.
        expires_s: u32,
    },
    /// 423: longer, please.
    TooBrief {
        /// `Min-Expires`.
        min_s: u32,
    },
    /// Another refusal.
    Refused {
        /// `Retry-After`.
        retry_after_s: Option<u32>,
    },
    /// Nothing, or 5xx: another place may answer.
    Unanswered,
}

/// One trunk's registration.
#[derive(Clone, Debug)]
pub struct Registration {
    expires_s: u32,
    rng: StdRng,
    due: Option<Duration>,
    asked: Option<Duration>,
    until: Option<Duration>,
    refusals: u32,
}

impl Registration {
    /// One that is due at once, give or take a second, so that many trunks do not ask as one.
    #[must_use]
    pub fn new(expires: Duration, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let due = Some(SPACING.mul_f64(rng.random_range(0.0..0.5)));
        let asked_s = u32::try_from(expires.as_secs()).unwrap_or(u32::MAX);
        let expires_s = asked_s.clamp(*EXPIRY_S.start(), *EXPIRY_S.end());
        Self { expires_s, rng, due, asked: None, until: None, refusals: 0 }
    }

    /// The expiry to ask for, if an attempt is due now; it has then begun.
    #[must_use = "an attempt that is due is to be made"]
    pub fn attempt(&mut self, now: Duration) -> Option<u32> {
        let earliest = self.asked.map_or(Duration::ZERO, |it| it + SPACING);
        if self.due.is_none_or(|due| now < due.max(earliest)) {
            return None;
        }
        self.due = None;
        self.asked = Some(now);
        Some(self.expires_s)
    }

    /// Takes what came of the attempt.
    pub fn outcome(&mut self, now: Duration, outcome: Outcome) {
        if outcome != Outcome::Unanswered {
            // Whatever was said, the place is there.
            self.refusals =
                if matches!(outcome, Outcome::Refused { .. }) { self.refusals + 1 } else { 0 };
        }
        let pause = match outcome {
            Outcome::Accepted { expires_s } => {
                let expires = Duration::from_secs(u64::from(expires_s.min(*EXPIRY_S.end())));
                self.until = Some(now + expires);
                expires.mul_f64(self.rng.random_range(0.8..0.9)).max(SPACING)
            }
            Outcome::TooBrief { min_s } => {
                self.expires_s = min_s.clamp(self.expires_s, *EXPIRY_S.end());
                SPACING
            }
            Outcome::Refused { retry_after_s } => {
                let doubled = REFUSED_PAUSE * 2_u32.pow(self.refusals.saturating_sub(1).min(6));
                let asked = retry_after_s.map(|it| Duration::from_secs(u64::from(it.min(3_600))));
                let pause = asked.unwrap_or(Duration::ZERO).max(doubled.min(REFUSED_PAUSE_MAX));
                pause.mul_f64(self.rng.random_range(1.0..1.2))
            }
            Outcome::Unanswered => {
                SPACING + (PAUSE_MAX - SPACING).mul_f64(self.rng.random_range(0.0..1.0))
            }
        };
        if matches!(outcome, Outcome::Refused { .. }) {
            self.until = None;
        }
        self.due = Some(now + pause);
    }

    /// Asks anew as soon as may be: our address has changed, or the trunk is known to be back.
    pub fn hurry(&mut self, now: Duration) {
        if let Some(due) = &mut self.due {
            *due = now;
        }
    }

    /// Whether the trunk knows us now.
    #[must_use]
    pub fn is_registered(&self, now: Duration) -> bool {
        self.until.is_some_and(|it| now < it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(50);

    fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A trunk that is there or not; when attempts were made, and when we were registered.
    fn run(
        registration: &mut Registration,
        length: Duration,
        is_up: impl Fn(Duration) -> bool,
        expires_s: u32,
    ) -> (Vec<Duration>, Vec<Duration>) {
        let (mut attempts, mut accepted) = (Vec::new(), Vec::new());
        let (mut now, mut pending) = (Duration::ZERO, None);
        while now < length {
            if pending.is_none() && registration.attempt(now).is_some() {
                attempts.push(now);
                pending = Some(now);
            }
            if let Some(began) = pending {
                if is_up(now) {
                    registration.outcome(now, Outcome::Accepted { expires_s });
                    accepted.push(now);
                    pending = None;
                } else if now >= began + ATTEMPT {
                    registration.outcome(now, Outcome::Unanswered);
                    pending = None;
                }
            }
            now += STEP;
        }
        (attempts, accepted)
    }

    #[test]
    fn it_is_renewed_before_nine_tenths_of_its_time() {
        for seed in 0..50 {
            let mut registration = Registration::new(s(600), seed);
            let (_, accepted) = run(&mut registration, s(3_600), |_| true, 600);
            for pair in accepted.windows(2) {
                let gap = pair[1] - pair[0];
                assert!(gap >= s(480) && gap <= s(540) + STEP, "{gap:?}");
            }
            assert!(accepted.len() >= 6);
        }
    }

    #[test]
    fn a_trunk_that_comes_and_goes_has_us_back_in_five_seconds_and_is_not_flooded() {
        for seed in 0..50 {
            let mut registration = Registration::new(s(20), seed);
            // 10 s up, 10 s down, twenty times.
            let is_up = |now: Duration| (now.as_secs() / 10).is_multiple_of(2);
            let (attempts, accepted) = run(&mut registration, s(400), is_up, 20);
            for pair in attempts.windows(2) {
                assert!(pair[1] - pair[0] >= SPACING, "{pair:?}");
            }
            // Of those returns at which it was being asked.
            for back in (20..400).step_by(20).map(s) {
                let waiting = attempts.iter().any(|it| *it < back && *it + ATTEMPT + s(2) > back);
                let soon = accepted.iter().any(|it| *it >= back && *it <= back + s(5));
                assert!(!waiting || soon, "seed {seed}: not back {back:?}");
            }
        }
    }

    #[test]
    fn one_that_was_lost_is_back_in_five_seconds() {
        for seed in 0..200 {
            let mut registration = Registration::new(s(60), seed);
            let back = s(30) + Duration::from_millis(50 * seed);
            let (_, accepted) = run(&mut registration, s(60), |now| now >= back, 60);
            assert!(accepted[0] <= back + s(5), "seed {seed}: {:?} after {back:?}", accepted[0]);
        }
    }

    #[test]
    fn a_longer_expiry_is_asked_for_where_ours_is_too_brief() {
        let mut registration = Registration::new(s(60), 1);
        assert_eq!(registration.attempt(s(1)), Some(60));
        registration.outcome(s(1), Outcome::TooBrief { min_s: 300 });
        assert_eq!(registration.attempt(s(2)), Some(300));
        registration.outcome(s(2), Outcome::Accepted { expires_s: 300 });
        assert!(registration.is_registered(s(301)));
        assert!(!registration.is_registered(s(302)));
    }

    #[test]
    fn a_refusal_is_not_asked_again_and_again() {
        let mut registration = Registration::new(s(600), 3);
        let mut now = s(1);
        let mut attempts = 0;
        while now < s(600) {
            if registration.attempt(now).is_some() {
                attempts += 1;
                registration.outcome(now, Outcome::Refused { retry_after_s: None });
            }
            now += STEP;
        }
        assert!((8..=14).contains(&attempts), "{attempts}");
        assert!(!registration.is_registered(now));
    }

    #[test]
    fn a_new_address_is_told_at_once_but_not_faster_than_once_a_second() {
        let mut registration = Registration::new(s(600), 3);
        assert!(registration.attempt(s(1)).is_some());
        registration.outcome(s(1), Outcome::Accepted { expires_s: 600 });
        registration.hurry(s(1) + STEP);
        assert_eq!(registration.attempt(s(1) + STEP * 2), None);
        assert_eq!(registration.attempt(s(2)), Some(600));
    }
}
