//! What the play-out tells: a bounded ring, drained by whoever pulls.
//!
//! Full, it drops the oldest: a listener that does not listen misses, the voice goes on.

use std::collections::VecDeque;

use crate::MediaTime;

/// Events kept at most: more than 64 clips can cause in one tick.
const EVENTS_MAX: usize = 256;

/// Something that happened to a clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlayoutEvent {
    /// Its first sample was handed out.
    Began {
        /// Which.
        id: u32,
        /// Media time of the first sample.
        at: MediaTime,
    },
    /// Its last sample was handed out.
    Ended {
        /// Which.
        id: u32,
        /// Media time of the end of the last sample.
        at: MediaTime,
    },
}

#[derive(Clone, Debug)]
pub(super) struct Events(VecDeque<PlayoutEvent>);

impl Events {
    pub(super) fn new() -> Self {
        Self(VecDeque::with_capacity(EVENTS_MAX))
    }

    pub(super) fn push(&mut self, event: PlayoutEvent) {
        if self.0.len() == EVENTS_MAX {
            self.0.pop_front();
        }
        self.0.push_back(event);
    }

    pub(super) fn pop(&mut self) -> Option<PlayoutEvent> {
        self.0.pop_front()
    }
}
