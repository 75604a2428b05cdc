//! Our figures held against the far end's own: the same turns, as its timeline has them.
//!
//! The far end counts from when it heard the caller fall silent, which is later than when the
//! caller did by what its jitter buffer holds; that it says itself (`buffer_ms`).

use serde::Deserialize;

use super::report::{Report, Truth};

/// Where the first sound is so far from that of the words, it was another: a tick while something
/// is looked up, say.
const OTHER_MS: f64 = 300.0;
/// Two turns are the same where their ends are no further apart, ms.
const SAME_MS: f64 = 500.0;

/// What a timeline says of one answer; ms since the ring.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct OwnLatency {
    /// End of the caller's speech as the far end heard it.
    pub speech_ended_ms: f64,
    /// First sound of the answer.
    pub first_sound_ms: f64,
    /// What its jitter buffer held.
    #[serde(default)]
    pub buffer_ms: f64,
}

impl Report {
    /// Notes what the far end says of the call of this caller.
    pub fn hold_against(&mut self, from: &str, own: &[OwnLatency]) {
        let Some(call) = self.calls.iter_mut().find(|call| call.from == from) else { return };
        for turn in call.turns.iter_mut().filter(|turn| turn.response_ms.is_some()) {
            let ended = f64::from(turn.ended_ms);
            let apart = |it: &&OwnLatency| (it.speech_ended_ms - it.buffer_ms - ended).abs();
            let nearest = own.iter().min_by(|one, two| apart(one).total_cmp(&apart(two)));
            turn.own_response_ms = nearest
                .filter(|it| apart(it) <= SAME_MS)
                .map(|it| it.first_sound_ms - it.speech_ended_ms + it.buffer_ms);
        }
        self.truth = truth(self);
    }
}

fn truth(report: &Report) -> Option<Truth> {
    let turns = report.calls.iter().flat_map(|call| &call.turns);
    let all = turns.filter_map(|turn| Some(turn.response_ms? - turn.own_response_ms?));
    let (differences, other): (Vec<f64>, Vec<f64>) = all.partition(|it| it.abs() < OTHER_MS);
    let count = differences.len();
    let mut apart: Vec<f64> = differences.iter().map(|it| it.abs()).collect();
    apart.sort_by(f64::total_cmp);
    let rank = (count as f64 * 0.95).ceil() as usize;
    Some(Truth {
        turns: count,
        other_sounds: other.len(),
        mean_ms: differences.iter().sum::<f64>() / count as f64,
        p95_ms: *apart.get(rank.checked_sub(1)?)?,
        max_ms: *apart.last()?,
    })
}
