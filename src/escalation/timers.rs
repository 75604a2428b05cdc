//! The timers of an escalation: an enum and a table whose earliest entry is the deadline.

use cordboard_audio::MediaTime;

/// What can fall due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    /// The announcement ought to have been played.
    Announcement,
    /// Enough music: a comfort message.
    Comfort,
    /// The caller has waited long enough.
    Limit,
    /// The phone has rung long enough.
    Ring,
    /// The brief ought to have been played.
    Brief,
    /// No key came.
    Key,
    /// The tone ought to have been played.
    Tone,
    /// No talk lasts so long.
    Talk,
    /// The agent ought to have been told.
    Parting,
}

impl Timer {
    /// Every timer, in the order of the declaration.
    pub(super) const ALL: [Self; 9] = [
        Self::Announcement,
        Self::Comfort,
        Self::Limit,
        Self::Ring,
        Self::Brief,
        Self::Key,
        Self::Tone,
        Self::Talk,
        Self::Parting,
    ];
}

/// When each falls due.
#[derive(Debug, Default)]
pub(super) struct TimerTable {
    due: [Option<MediaTime>; Timer::ALL.len()],
}

impl TimerTable {
    pub(super) fn arm(&mut self, timer: Timer, at: MediaTime) {
        self.due[timer as usize] = Some(at);
    }

    pub(super) fn stop(&mut self, timer: Timer) {
        self.due[timer as usize] = None;
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Takes out the earliest that is due.
    pub(super) fn expire(&mut self, now: MediaTime) -> Option<Timer> {
        let (at, timer) = self.earliest()?;
        (at <= now).then(|| {
            self.stop(timer);
            timer
        })
    }

    pub(super) fn next(&self) -> Option<MediaTime> {
        self.earliest().map(|(at, _)| at)
    }

    fn earliest(&self) -> Option<(MediaTime, Timer)> {
        let armed = Timer::ALL.iter().filter_map(|&t| Some((self.due[t as usize]?, t)));
        armed.min_by_key(|&(at, _)| at)
    }
}
