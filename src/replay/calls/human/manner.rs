//! When a human speaks: pure, times are arguments.
//!
//! ```text
//!  Answered ── they were quiet ──► Keyed ── quiet again ──► Greeted ── some seconds ──► ...
//!       └── no keys ───────────────────────────────────────────┘    each a sentence
//! ```

use std::time::Duration;

/// Who has spoken and is quiet for so long has had their say.
const QUIET: Duration = Duration::from_millis(800);
/// Where nothing is said to a human who has picked up, they speak first.
const NOTHING_SAID: Duration = Duration::from_secs(3);
/// And after their keys: by then they are joined.
const NOTHING_AFTER_KEYS: Duration = Duration::from_millis(1_500);
/// Who speaks without an end is not waited for longer.
const LONGEST: Duration = Duration::from_secs(40);
/// Between two sentences: longer than a caller listens on who has done all.
const PAUSE: Duration = Duration::from_secs(4);

/// What is done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The keys are pressed.
    Keys,
    /// The greeting is said.
    Greeting,
    /// A sentence is: its number.
    Sentence(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Answered,
    Keyed,
    Greeted { sentences: usize },
}

/// One human in one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    state: State,
    has_keys: bool,
    /// When the state, or the human's own last word, was over.
    since: Duration,
    /// When they spoke last.
    heard: Option<Duration>,
}

impl Manner {
    /// From the answer on.
    pub(super) const fn new(now: Duration, has_keys: bool) -> Self {
        Self { state: State::Answered, has_keys, since: now, heard: None }
    }

    /// 20 ms: whether the far end speaks, and whether we are saying or pressing something.
    pub(super) fn tick(&mut self, now: Duration, speaks: bool, busy: bool) -> Option<Next> {
        if speaks {
            self.heard = Some(now);
        }
        if busy {
            self.since = now;
            return None;
        }
        let (next, state) = match self.state {
            State::Answered if self.has_keys => (Next::Keys, State::Keyed),
            State::Answered | State::Keyed => (Next::Greeting, State::Greeted { sentences: 0 }),
            State::Greeted { sentences } => {
                (Next::Sentence(sentences), State::Greeted { sentences: sentences + 1 })
            }
        };
        self.is_ones_turn(now).then(|| {
            self.state = state;
            self.since = now;
            next
        })
    }

    fn is_ones_turn(&self, now: Duration) -> bool {
        let waited = now.saturating_sub(self.since);
        let heard = self.heard.filter(|it| *it >= self.since);
        let is_quiet = self.heard.is_none_or(|it| now.saturating_sub(it) >= QUIET);
        match self.state {
            State::Greeted { .. } => waited >= PAUSE && (is_quiet || waited >= PAUSE * 2),
            State::Answered | State::Keyed if heard.is_some() => is_quiet || waited >= LONGEST,
            State::Answered => waited >= NOTHING_SAID,
            State::Keyed => waited >= NOTHING_AFTER_KEYS,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is done, and when, ms, where they speak in these spans; each word of ours takes 1 s.
    fn run(has_keys: bool, speaks: &[(u64, u64)], long_ms: u64) -> Vec<(u64, Next)> {
        let mut manner = Manner::new(Duration::ZERO, has_keys);
        let (mut done, mut busy_until) = (Vec::new(), 0);
        for now in (0..long_ms).step_by(20) {
            let is_speech = speaks.iter().any(|(from, to)| (*from..*to).contains(&now));
            let next = manner.tick(Duration::from_millis(now), is_speech, now < busy_until);
            if let Some(next) = next {
                busy_until = now + 1_000;
                done.push((now, next));
            }
        }
        done
    }

    #[test]
    fn a_brief_is_heard_to_its_end_before_the_keys_and_the_greeting() {
        let brief = [(300, 6_000), (7_900, 8_300)];
        let done = run(true, &brief, 22_000);
        let (times, what): (Vec<u64>, Vec<Next>) = done.into_iter().unzip();
        let [first, second] = [0, 1].map(Next::Sentence);
        assert_eq!(what, [Next::Keys, Next::Greeting, first, second]);
        assert_eq!((times[0], times[1]), (6_780, 9_080));
        assert!(times[2] >= 14_000 && times[3] >= times[2] + 4_900, "{times:?}");
    }

    #[test]
    fn where_nothing_is_said_the_human_speaks_first_and_over_nobody_without_an_end() {
        assert_eq!(run(false, &[], 3_020), [(3_000, Next::Greeting)]);
        let endless = run(false, &[(0, 100_000)], 60_000);
        assert_eq!(endless[0], (40_000, Next::Greeting));
        assert!(endless.len() >= 2, "{endless:?}");
    }
}
