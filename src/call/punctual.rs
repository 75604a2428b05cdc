//! Ticks that did not come: a worker that was late skips them, and a machine that slept has none.
//!
//! What was not played then is not played later: a line goes on where it was, and sound that waited
//! for a machine that slept is dropped. A long gap is nobody's silence: the phones that could not
//! be listened to have not gone quiet.

use std::time::Duration;

use cordboard_audio::{FRAME_MS, MediaTime};

use super::{Call, Output, RecordedTick};
use crate::timeline::What;

const TICK: Duration = Duration::from_millis(FRAME_MS);
/// From here on a gap is a hole in the sound that is told on the timeline.
const HOLE_MIN: Duration = Duration::from_millis(500);
/// Ticks of silence that a recording is given for a gap at most: a minute.
const GAP_MAX: usize = 3_000;
/// From here on a gap is a stop of the whole machine.
const STOPPED: Duration = Duration::from_secs(1);

/// How regularly a call is ticked.
#[derive(Debug, Default)]
pub(super) struct Punctuality {
    last: Option<MediaTime>,
    missed: u64,
    longest: Duration,
}

impl Call {
    /// Counts what came between this tick and the last.
    pub(super) fn mind_gap(&mut self, now: MediaTime) {
        let Some(last) = self.punctual.last.replace(now) else { return };
        let gap = now.since(last);
        // A tick that comes late is made up for by the next, which is early.
        if gap < TICK * 2 {
            return;
        }
        let missed = gap.as_millis() / TICK.as_millis() - 1;
        self.punctual.missed += u64::try_from(missed).unwrap_or(u64::MAX);
        self.punctual.longest = self.punctual.longest.max(gap);
        self.record_gap(missed);
        if gap >= HOLE_MIN {
            self.stalled |= self.recording.is_some();
            let for_ms = u64::try_from(gap.as_millis()).unwrap_or(u64::MAX);
            self.note(now, What::Stalled { for_ms });
        }
        if gap >= STOPPED {
            for leg in [Some(&mut self.caller), self.agent.as_deref_mut()].into_iter().flatten() {
                leg.fed(now);
                leg.drop_stale();
            }
        }
    }

    /// Keeps the recording in time: what was not heard then is silence in it.
    fn record_gap(&mut self, missed: u128) {
        if self.recording.is_some() {
            let silence = || RecordedTick { left: [0; 160], right: [0; 160] };
            let missed = usize::try_from(missed).unwrap_or(usize::MAX).min(GAP_MAX);
            let silence = std::iter::repeat_with(silence).take(missed);
            self.out.extend(silence.map(Output::Record));
        }
    }

    /// The entry of the ticks that did not come, where there were any.
    pub(super) fn note_missed(&mut self, now: MediaTime) {
        if self.punctual.missed > 0 {
            let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
            let (count, longest_ms) = (self.punctual.missed, ms(self.punctual.longest));
            self.note(now, What::TicksMissed { count, longest_ms });
        }
    }
}
