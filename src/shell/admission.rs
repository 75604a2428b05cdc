//! Admission: whether new calls are taken, judged by how the media workers keep up and whether the
//! engines could do what calls wanted of them.
//!
//! ```text
//!     a worker is too busy or too late for a while, or has stopped; no engine was free
//!   Open ──────────────────────────────────────────────────► Shut
//!        ◄──────────────────────────────────────────────────
//!          every worker well below the limits, and no engine wanted, for a while
//! ```
//!
//! Calls under way are never touched. Pure: time is an argument. Deliberately absent: how many
//! calls there may be at a time (`sip.calls_max`), the measuring (`load`), and whom it is told
//! (`intake`).

use std::time::Duration;

/// A worker that has calls and does not tell how it keeps up has stopped.
const STOPPED_AFTER: Duration = Duration::from_secs(1);

/// When new calls are refused, and when they are taken again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rules {
    /// Whether there is such a rule at all.
    pub(crate) on: bool,
    /// Share of a worker's time from which it is too busy, 0 to 1.
    pub(crate) busy: f32,
    /// Share of a worker's ticks from which too many are late, 0 to 1.
    pub(crate) late: f32,
    /// From when on a tick is late.
    pub(crate) late_after: Duration,
    /// For how long a worker must have been too busy or too late: one hiccup of the machine, which
    /// no caller hears, is none of the service's load.
    pub(crate) lasting: Duration,
    /// Share of both limits below which there is room again, 0 to 1.
    pub(crate) resume: f32,
    /// For how long every worker must have been below it.
    pub(crate) calm: Duration,
    /// For how long after work was refused for want of an engine; none is never.
    pub(crate) no_engine: Option<Duration>,
}

/// When work was last refused because no engine was free for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wants {
    /// A recognition: a caller spoke and was not heard.
    pub(crate) recognizer: Option<Duration>,
    /// A synthesis: a caller was not answered.
    pub(crate) synthesizer: Option<Duration>,
}

/// How one worker keeps up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Load {
    /// Calls that it has.
    pub(crate) seats: usize,
    /// Share of its time in which it worked for calls, 0 to 1.
    pub(crate) busy: f32,
    /// Share of its ticks that came late, or not at all, 0 to 1.
    pub(crate) late: f32,
    /// When it told this.
    pub(crate) told: Duration,
}

/// Why new calls are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strain {
    /// A worker has hardly any time left.
    Busy,
    /// A worker comes late to its ticks.
    Late,
    /// A worker has stopped.
    Stopped,
    /// No recognizer was free for somebody who spoke.
    NoRecognizer,
    /// No synthesizer took what was to be said.
    NoSynthesizer,
}

impl Strain {
    /// All of them, by name.
    pub(crate) const NAMES: &'static [&'static str] =
        &["busy", "late", "stopped", "no_recognizer", "no_synthesizer"];

    /// The name, for figures and logs.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Late => "late",
            Self::Stopped => "stopped",
            Self::NoRecognizer => "no_recognizer",
            Self::NoSynthesizer => "no_synthesizer",
        }
    }

    /// Whether it counts at once: it is no hiccup, but has cost a caller something.
    const fn is_certain(self) -> bool {
        matches!(self, Self::Stopped | Self::NoRecognizer | Self::NoSynthesizer)
    }
}

/// Judges again and again whether there is room.
#[derive(Debug, Default)]
pub(crate) struct Judge {
    shut: Option<Strain>,
    /// Since when some worker has been at the limits.
    strained_since: Option<Duration>,
    /// Since when every worker has been well below the limits.
    calm_since: Option<Duration>,
}

impl Judge {
    /// Judges how things stand; why new calls are refused, where they are.
    pub(crate) fn judge(
        &mut self,
        now: Duration,
        rules: &Rules,
        loads: &[Load],
        wants: Wants,
    ) -> Option<Strain> {
        if !rules.on {
            *self = Self::default();
            return None;
        }
        let strain = loads.iter().find_map(|load| load.strain(now, rules, 1.0));
        let strain = strain.or_else(|| wants.strain(now, rules));
        if let Some(strain) = strain {
            self.calm_since = None;
            let since = *self.strained_since.get_or_insert(now);
            if strain.is_certain() || now.saturating_sub(since) >= rules.lasting {
                // The first reason stands for as long as it is shut.
                self.shut.get_or_insert(strain);
            }
            return self.shut;
        }
        self.strained_since = None;
        if loads.iter().any(|load| load.strain(now, rules, rules.resume).is_some()) {
            self.calm_since = None;
            return self.shut;
        }
        let since = *self.calm_since.get_or_insert(now);
        if now.saturating_sub(since) >= rules.calm {
            self.shut = None;
        }
        self.shut
    }
}

impl Load {
    /// What is wrong with it, measured by a share of the limits.
    fn strain(&self, now: Duration, rules: &Rules, share: f32) -> Option<Strain> {
        if self.seats == 0 {
            // It sleeps, and what it told last is long over.
            return None;
        }
        if now.saturating_sub(self.told) > STOPPED_AFTER {
            return Some(Strain::Stopped);
        }
        if self.late >= rules.late * share {
            return Some(Strain::Late);
        }
        (self.busy >= rules.busy * share).then_some(Strain::Busy)
    }
}

impl Wants {
    /// The engine that was wanted not long ago.
    fn strain(self, now: Duration, rules: &Rules) -> Option<Strain> {
        let lately = |at: Option<Duration>| {
            let (at, within) = at.zip(rules.no_engine)?;
            (now.saturating_sub(at) < within).then_some(())
        };
        let recognizer = lately(self.recognizer).map(|()| Strain::NoRecognizer);
        recognizer.or_else(|| lately(self.synthesizer).map(|()| Strain::NoSynthesizer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: Rules = Rules {
        on: true,
        busy: 0.8,
        late: 0.1,
        late_after: Duration::from_millis(10),
        lasting: Duration::from_secs(1),
        resume: 0.5,
        calm: Duration::from_secs(5),
        no_engine: Some(Duration::from_secs(10)),
    };
    const NONE: Wants = Wants { recognizer: None, synthesizer: None };

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn load(now_ms: u64, busy: f32, late: f32) -> Load {
        Load { seats: 3, busy, late, told: at(now_ms) }
    }

    /// What is judged of workers that stand so at 10 s, and have stood so for as long as it takes.
    fn lasting(loads: &[Load]) -> Option<Strain> {
        let mut judge = Judge::default();
        let earlier = |load: &Load| Load { told: load.told.saturating_sub(RULES.lasting), ..*load };
        let before: Vec<Load> = loads.iter().map(earlier).collect();
        judge.judge(at(9_000), &RULES, &before, NONE);
        judge.judge(at(10_000), &RULES, loads, NONE)
    }

    #[test]
    fn the_table_of_what_shuts_and_what_does_not() {
        let rows = [
            (load(10_000, 0.0, 0.0), None),
            (load(10_000, 0.79, 0.09), None),
            (load(10_000, 0.8, 0.0), Some(Strain::Busy)),
            (load(10_000, 0.0, 0.1), Some(Strain::Late)),
            (load(10_000, 1.0, 1.0), Some(Strain::Late)),
            (load(9_000, 0.0, 0.0), None),
            (load(8_999, 0.0, 0.0), Some(Strain::Stopped)),
            (Load { seats: 0, ..load(0, 1.0, 1.0) }, None),
        ];
        for (row, expected) in rows {
            let calm = load(10_000, 0.1, 0.0);
            for loads in [vec![row], vec![row, calm], vec![calm, row]] {
                let found = lasting(&loads);
                assert_eq!(found, expected, "{loads:?}");
            }
        }
    }

    #[test]
    fn a_hiccup_shuts_nothing_and_what_lasts_does() {
        // What each half of a second tells, and from when on new calls are refused.
        let rows: [(&[f32], Option<u64>); 5] = [
            (&[0.0, 1.0, 0.0, 0.0, 1.0, 0.0], None),
            (&[0.0, 1.0, 1.0, 0.0, 1.0, 1.0], None),
            (&[0.0, 0.1, 0.1, 0.1, 0.0, 0.0], Some(1_500)),
            (&[1.0, 1.0, 1.0, 1.0, 1.0, 1.0], Some(1_000)),
            (&[1.0, 1.0, 0.09, 1.0, 1.0, 1.0], Some(2_500)),
        ];
        for (story, expected) in rows {
            let mut judge = Judge::default();
            let mut told = (0..).step_by(500).zip(story);
            let shut = told.find(|(ms, late)| {
                judge.judge(at(*ms), &RULES, &[load(*ms, 0.0, **late)], NONE).is_some()
            });
            assert_eq!(shut.map(|(ms, _)| ms), expected, "{story:?}");
        }
    }

    #[test]
    fn a_worker_that_has_stopped_shuts_at_once() {
        let stopped = [load(0, 0.0, 0.0)];
        let found = Judge::default().judge(at(1_001), &RULES, &stopped, NONE);
        assert_eq!(found, Some(Strain::Stopped));
    }

    #[test]
    fn a_service_without_calls_has_room() {
        assert_eq!(Judge::default().judge(at(0), &RULES, &[], NONE), None);
        let idle = [Load::default(); 2];
        assert_eq!(Judge::default().judge(at(90_000), &RULES, &idle, NONE), None);
    }

    #[test]
    fn what_was_shut_opens_only_after_a_calm_without_a_break() {
        let mut judge = Judge::default();
        let mut story = vec![];
        let mut busy = |from_s: u64, to_s: u64, busy: f32| {
            for second in from_s..to_s {
                let now_ms = second * 1_000;
                let shut = judge.judge(at(now_ms), &RULES, &[load(now_ms, busy, 0.0)], NONE);
                story.push((second, shut.is_some()));
            }
        };
        busy(0, 2, 0.3);
        busy(2, 4, 0.9);
        // Below the limit, and not well below it.
        busy(4, 20, 0.6);
        busy(20, 24, 0.3);
        busy(24, 25, 0.6);
        busy(25, 40, 0.3);
        let shut = |second: u64| story.contains(&(second, true));
        let changes: Vec<u64> = (1..40).filter(|it| shut(*it) != shut(*it - 1)).collect();
        assert_eq!(changes, [3, 30]);
    }

    #[test]
    fn the_first_reason_stands_until_there_is_room_again() {
        let mut judge = Judge::default();
        judge.judge(at(0), &RULES, &[load(0, 0.9, 0.0)], NONE);
        let first = judge.judge(at(1_000), &RULES, &[load(1_000, 0.9, 0.0)], NONE);
        let second = judge.judge(at(1_500), &RULES, &[load(1_500, 0.9, 0.9)], NONE);
        assert_eq!((first, second), (Some(Strain::Busy), Some(Strain::Busy)));
        for ms in (2_000..=7_000).step_by(500) {
            judge.judge(at(ms), &RULES, &[load(ms, 0.0, 0.0)], NONE);
        }
        judge.judge(at(7_500), &RULES, &[load(7_500, 0.0, 0.5)], NONE);
        let again = judge.judge(at(8_500), &RULES, &[load(8_500, 0.0, 0.5)], NONE);
        assert_eq!(again, Some(Strain::Late));
    }

    #[test]
    fn a_rule_that_is_off_refuses_nobody_and_forgets() {
        let mut judge = Judge::default();
        judge.judge(at(0), &RULES, &[load(0, 1.0, 1.0)], NONE);
        assert!(judge.judge(at(1_000), &RULES, &[load(1_000, 1.0, 1.0)], NONE).is_some());
        let off = Rules { on: false, ..RULES };
        assert_eq!(judge.judge(at(1_500), &off, &[load(1_500, 1.0, 1.0)], NONE), None);
        assert_eq!(judge.judge(at(2_000), &RULES, &[load(2_000, 1.0, 1.0)], NONE), None);
    }

    #[test]
    fn work_refused_for_want_of_an_engine_shuts_at_once_and_for_so_long() {
        let (ears, voice) = (Some(at(1_000)), Some(at(1_000)));
        for (wants, strain) in [
            (Wants { recognizer: ears, ..NONE }, Strain::NoRecognizer),
            (Wants { synthesizer: voice, ..NONE }, Strain::NoSynthesizer),
            (Wants { recognizer: ears, synthesizer: voice }, Strain::NoRecognizer),
        ] {
            let mut judge = Judge::default();
            let mut shut = |ms| judge.judge(at(ms), &RULES, &[load(ms, 0.1, 0.0)], wants);
            assert_eq!(shut(1_000), Some(strain), "{wants:?}");
            // Ten seconds of it, and five of calm.
            let open = (1_500..30_000).step_by(500).find(|ms| shut(*ms).is_none());
            assert_eq!(open, Some(16_000), "{wants:?}");
        }
    }

    #[test]
    fn a_want_that_is_old_or_not_minded_shuts_nothing() {
        let wants = Wants { recognizer: Some(at(1_000)), synthesizer: Some(at(500)) };
        assert_eq!(Judge::default().judge(at(11_000), &RULES, &[], wants), None);
        let rules = Rules { no_engine: None, ..RULES };
        assert_eq!(Judge::default().judge(at(1_000), &rules, &[], wants), None);
        let off = Rules { on: false, ..RULES };
        assert_eq!(Judge::default().judge(at(1_000), &off, &[], wants), None);
    }
}
