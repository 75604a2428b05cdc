//! What a caller would have heard, scored from the sound and the signalling alone.
//!
//! Times are of the caller's end of the line, from the answer on: when their last sound was sent,
//! when the far end's first came (to a millisecond; all else in steps of 10). Nothing that the far
//! end says of itself is used.

use std::ops::Range;

use cordboard_audio::level::quiet_before;
use serde::{Deserialize, Serialize};

use super::super::likeness::Print;
use super::super::script::{Act, When};
use super::human::{self, Human};
use super::levels::{Levels, SPEECH_DB, STEP_MS, STEP_SAMPLES};
use super::scenario::{Deed, DeedKind, End};
use super::take::{Done, Ending, Take};

/// What is so far below the loudest of a caller's words is no more of them, dB.
const SILENT_BELOW_DB: f32 = 28.0;
/// The far end is lowered where it is so much below what it was, dB, for so many steps.
const DUCKED_BY_DB: f32 = 10.0;
const DUCKED_FOR: usize = 15;
/// It has stopped where nothing is heard of it for so many steps.
const STOPPED_FOR: usize = 40;
/// An interruption is looked after for so long, steps.
const STOPS_WITHIN: usize = 300;
/// It spoke as the caller began where it was heard so shortly before, steps.
const JUST_BEFORE: usize = 20;

/// One call, scored.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Score {
    /// Its number in the run.
    pub number: usize,
    /// Its scenario.
    pub scenario: String,
    /// Who rang, as the far end was told.
    pub from: String,
    /// When it was placed, ms since 1970.
    pub placed_unix_ms: u64,
    /// How it ended.
    pub ending: String,
    /// From placing it to the answer, ms.
    pub answer_ms: Option<f64>,
    /// How long it lasted, ms.
    pub lasted_ms: u64,
    /// What the caller did, and what came of it.
    pub turns: Vec<Turn>,
    /// The longest that the caller waited in silence, ms, and when it began.
    pub dead_air_ms: u32,
    /// From the answer on.
    pub dead_air_at_ms: u32,
    /// How long both spoke at once, ms.
    pub talk_over_ms: u32,
    /// Packets that came, those that came too late for a phone, and the longest time between two.
    pub packets: u64,
    /// More than 60 ms behind their neighbours.
    pub packets_late: u64,
    /// ms.
    pub longest_gap_ms: f64,
    /// Keys that the far end pressed.
    pub far_keys: String,
    /// What it was to say, and whether it did; none where nobody could tell.
    pub said: Vec<Said>,
    /// Whether a human was heard; none where none is owed, and the run had no phone of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub human: Option<Human>,
    /// Whom it asked the caller's phone to ring instead (REFER); that is told, not followed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
    /// Why the call did not go as it should; empty where it did.
    pub faults: Vec<String>,
}

/// A thing that the caller did.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Turn {
    /// Its words, file or keys.
    pub told: String,
    /// What it was.
    pub kind: TurnKind,
    /// From the answer on, ms.
    pub began_ms: u32,
    /// The same.
    pub ended_ms: u32,
    /// Whether the far end spoke as it began.
    pub over_far: bool,
    /// From its end to the far end's first sound, ms; none where that did not wait for its end,
    /// or never came.
    pub response_ms: Option<f64>,
    /// From its begin until the far end was lowered, ms.
    pub duck_ms: Option<f64>,
    /// From its begin until the far end was silent, ms.
    pub stop_ms: Option<f64>,
    /// The far end's own word for `response_ms`, where its timeline was read, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_response_ms: Option<f64>,
}

/// What a turn means to the far end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnKind {
    /// It wants an answer.
    #[default]
    Words,
    /// Nothing is to come of it.
    Aside,
    /// It wants an answer.
    Keys,
    /// Silence, or the end.
    Other,
}

/// Something that the far end was to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Said {
    /// The words, or the recording.
    pub words: String,
    /// Whether it was heard; none where its voice is not known.
    pub heard: Option<bool>,
    /// How like it the best place is, -1 to 1.
    pub alike: Option<f32>,
    /// And how like its worst quarter of a second.
    pub worst: Option<f32>,
    /// What was recognized in its place, and how probable that is, where it was listened for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recognized: Option<String>,
    /// 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
}

impl Said {
    /// These words, of which nobody can tell yet.
    fn untold(words: &str) -> Self {
        let words = words.to_owned();
        let (recognized, confidence) = (None, None);
        Self { words, heard: None, alike: None, worst: None, recognized, confidence }
    }

    /// That it was not said, and what was said instead, as far as that is known.
    pub(super) fn fault(&self) -> String {
        let instead = match (&self.recognized, self.confidence, self.alike) {
            (Some(heard), Some(sure), _) if !heard.is_empty() => {
                format!(" (recognized: \"{heard}\", sure to {:.0} %)", sure * 100.0)
            }
            (_, _, Some(alike)) => format!(" (alike {alike:.2})"),
            _ => String::new(),
        };
        format!("it did not say `{}`{instead}", self.words)
    }
}

/// Scores a call.
#[must_use]
pub fn score(take: &Take) -> Score {
    let far = Levels::of(&take.far.samples);
    let speech = far.speech();
    let near: Vec<Option<Range<usize>>> =
        take.done.iter().map(|done| sounding(take, done)).collect();
    let turns: Vec<Turn> =
        (0..take.done.len()).map(|at| turn(take, at, (&far, &speech), &near)).collect();
    let (dead_air_ms, dead_air_at_ms) = dead_air(take, &far, &near);
    let said = said(take);
    let longest = take.far.spacing_us.iter().max().copied().unwrap_or(0);
    let mut score = Score {
        number: take.number,
        scenario: take.scenario.name.to_string(),
        from: take.from.clone(),
        placed_unix_ms: take.wall_unix_ms,
        ending: take.ending.told(),
        answer_ms: take.answered_after.map(|it| it.as_secs_f64() * 1e3),
        lasted_ms: u64::try_from(take.lasted.as_millis()).unwrap_or(u64::MAX),
        turns,
        dead_air_ms,
        dead_air_at_ms,
        talk_over_ms: both(&speech, &near),
        packets: take.far.packets,
        packets_late: take.far.late,
        longest_gap_ms: f64::from(longest) / 1e3,
        far_keys: take.far_keys.clone(),
        said,
        human: human::outcome(take, &near),
        transfer: take.referred.clone(),
        faults: Vec::new(),
    };
    score.faults = faults(take, &score);
    score
}

/// The steps in which the caller is to be heard; none where a deed has no sound.
fn sounding(take: &Take, done: &Done) -> Option<Range<usize>> {
    let begin = done.began.as_millis() as usize / STEP_MS as usize;
    match &take.scenario.deeds[done.deed].step.act {
        Act::Say(samples) => {
            let whole: Vec<i16> = samples.iter().map(|it| (it * 32_767.0) as i16).collect();
            let levels = Levels::of(&whole).0;
            let loudest = levels.iter().copied().fold(f32::MIN, f32::max);
            let heard = |level: &f32| *level > loudest - SILENT_BELOW_DB;
            let first = levels.iter().position(heard)?;
            let last = levels.iter().rposition(heard)? + 1;
            // It took longer than its sound where ticks of ours came late.
            let whole = samples.len().div_ceil(STEP_SAMPLES);
            let took = (done.ended - done.began).as_millis() as usize / STEP_MS as usize;
            let last = last + took.saturating_sub(whole);
            Some(begin + first..begin + last.max(first + 1))
        }
        Act::Key(_) => {
            let end = done.ended.as_millis() as usize / STEP_MS as usize;
            Some(begin..end.max(begin + 1))
        }
        Act::Stay(_) | Act::HangUp => None,
    }
}

fn turn(
    take: &Take,
    at: usize,
    (far, speech): (&Levels, &[Range<usize>]),
    near: &[Option<Range<usize>>],
) -> Turn {
    let done = &take.done[at];
    let deed = &take.scenario.deeds[done.deed];
    let kind = match deed.kind {
        DeedKind::Words => TurnKind::Words,
        DeedKind::Aside => TurnKind::Aside,
        DeedKind::Keys => TurnKind::Keys,
        DeedKind::Other => TurnKind::Other,
    };
    let told = deed.told.to_string();
    let ms = |step: usize| u32::try_from(step).unwrap_or(u32::MAX).saturating_mul(STEP_MS);
    let Some(span) = near[at].clone() else {
        let began_ms = done.began.as_millis() as u32;
        let ended_ms = done.ended.as_millis() as u32;
        return Turn { told, kind, began_ms, ended_ms, ..Turn::default() };
    };
    let over = speech.iter().find(|it| {
        it.start < span.start && it.end + JUST_BEFORE > span.start && it.end > span.start
    });
    let mut turn = Turn {
        told,
        kind,
        began_ms: ms(span.start),
        ended_ms: ms(span.end),
        over_far: over.is_some(),
        ..Turn::default()
    };
    if let Some(over) = over {
        let since = |step: usize| f64::from(ms(step - span.start));
        turn.duck_ms = ducked(far, over, span.start).map(since);
        turn.stop_ms = stopped(far, span.start).map(since);
    }
    if matches!(kind, TurnKind::Words | TurnKind::Keys) {
        let next = near[at + 1..].iter().flatten().map(|it| it.start).next();
        let still = speech.iter().any(|it| it.start < span.end && it.end > span.end);
        let first = speech.iter().map(|it| it.start).find(|start| *start >= span.end);
        let first = first.filter(|start| !still && next.is_none_or(|next| *start < next));
        turn.response_ms =
            first.map(|start| (begins_ms(take, start) - f64::from(ms(span.end))).max(0.0));
    }
    turn
}

/// When the far end begins to be heard that was heard in a step, to a millisecond.
fn begins_ms(take: &Take, step: usize) -> f64 {
    let from = step.saturating_sub(1) * STEP_SAMPLES;
    let late = take.far.samples.get(from..).unwrap_or_default();
    let around = late.iter().take(3 * STEP_SAMPLES).map(|it| f32::from(*it) / 32_768.0);
    let quiet = quiet_before(&around.collect::<Vec<_>>(), STEP_SAMPLES, SPEECH_DB);
    (from + quiet) as f64 * f64::from(STEP_MS) / STEP_SAMPLES as f64
}

/// When the far end was lowered, or silent.
fn ducked(far: &Levels, over: &Range<usize>, from: usize) -> Option<usize> {
    let before = from.saturating_sub(100).max(over.start)..from;
    let voiced: Vec<f32> = before.map(|it| far.at(it)).filter(|it| *it >= SPEECH_DB).collect();
    let usual = voiced.iter().sum::<f32>() / voiced.len().max(1) as f32;
    let low = |step: usize| far.at(step) <= usual - DUCKED_BY_DB;
    let within = from..from + STOPS_WITHIN / 2;
    (!voiced.is_empty()).then_some(())?;
    within.into_iter().find(|at| (*at..at + DUCKED_FOR).all(low))
}

fn stopped(far: &Levels, from: usize) -> Option<usize> {
    let silent = |step: usize| far.at(step) < SPEECH_DB;
    (from..from + STOPS_WITHIN).find(|at| (*at..at + STOPPED_FOR).all(silent))
}

/// The longest silence that the far end owes, ms, and when it began: after the answer, after the
/// caller's words, or between two sounds of its own. Silence before the caller's next words, where
/// the far end spoke last, is the caller's.
fn dead_air(take: &Take, far: &Levels, near: &[Option<Range<usize>>]) -> (u32, u32) {
    #[derive(Clone, Copy, PartialEq)]
    enum Who {
        Far,
        Near,
        Own,
    }
    let mut sounds: Vec<(Range<usize>, Who)> =
        far.sound().into_iter().map(|span| (span, Who::Far)).collect();
    sounds.extend(near.iter().flatten().map(|span| (span.clone(), Who::Near)));
    for done in &take.done {
        // Who stays silent on purpose waits for nothing.
        if matches!(take.scenario.deeds[done.deed].step.act, Act::Stay(_)) {
            let step = |time: std::time::Duration| time.as_millis() as usize / STEP_MS as usize;
            sounds.push((step(done.began)..step(done.ended), Who::Own));
        }
    }
    let end = take.lasted.as_millis() as usize / STEP_MS as usize;
    let ends_itself = take.ending != Ending::Far;
    sounds.push((end..end + 1, if ends_itself { Who::Own } else { Who::Far }));
    sounds.sort_by_key(|(span, _)| span.start);
    // A caller who has done all says no more, and the far end waits for them.
    let may_go = |deed: &Deed| matches!(deed.step.when, When::Says { or_not: true, .. });
    let all_done = take.scenario.deeds[take.taken..].iter().all(may_go);
    let last_done = take.done.last().filter(|_| all_done).map(|it| it.ended.as_millis() as usize);
    let is_spent = |step: usize| last_done.is_some_and(|end| step * STEP_MS as usize >= end);
    let (mut from, mut last) = (0, Who::Near);
    let mut longest = (0, 0);
    for (span, who) in sounds {
        let owed = match (last, who) {
            (Who::Far, Who::Far) if is_spent(from) => 0,
            (Who::Near, _) | (Who::Far, Who::Far) => span.start.saturating_sub(from),
            _ => 0,
        };
        if owed > longest.0 {
            longest = (owed, from);
        }
        if span.end > from {
            (from, last) = (span.end, who);
        }
    }
    let ms = |steps: usize| u32::try_from(steps).unwrap_or(u32::MAX).saturating_mul(STEP_MS);
    if take.answered_after.is_some() { (ms(longest.0), ms(longest.1)) } else { (0, 0) }
}

fn both(speech: &[Range<usize>], near: &[Option<Range<usize>>]) -> u32 {
    let mut steps = 0;
    for span in near.iter().flatten() {
        for far in speech {
            steps += span.end.min(far.end).saturating_sub(span.start.max(far.start));
        }
    }
    u32::try_from(steps).unwrap_or(u32::MAX).saturating_mul(STEP_MS)
}

/// Finds what was to be said, in order.
fn said(take: &Take) -> Vec<Said> {
    let wanted = &take.scenario.expect.says;
    if wanted.iter().all(|(_, print)| print.is_none()) {
        return wanted.iter().map(|(words, _)| Said::untold(words)).collect();
    }
    let samples: Vec<f32> = take.far.samples.iter().map(|it| f32::from(*it) / 32_768.0).collect();
    let heard = Print::of(&samples);
    let mut from_ms = 0;
    let mut found = Vec::new();
    for (words, print) in wanted {
        let untold = Said::untold(words);
        let Some(print) = print else {
            found.push(untold);
            continue;
        };
        let best = print.found_in(&heard.after(from_ms));
        let is_heard = best.is_some_and(|it| it.is_it());
        if let Some(best) = best.filter(|_| is_heard) {
            from_ms += best.at_ms + print.millis() / 2;
        }
        let (alike, worst) = (best.map(|it| it.alike), best.map(|it| it.worst));
        found.push(Said { heard: Some(is_heard), alike, worst, ..untold });
    }
    found
}

fn faults(take: &Take, score: &Score) -> Vec<String> {
    let expect = &take.scenario.expect;
    if let Some(wanted) = expect.refused {
        let as_wanted = take.ending == Ending::Refused(wanted);
        return if as_wanted { vec![] } else { vec![format!("not refused with {wanted}")] };
    }
    if !take.ending.is_a_call() {
        return vec![take.ending.told()];
    }
    let mut faults = Vec::new();
    if take.far.packets == 0 {
        faults.push("not a packet came".to_owned());
    }
    let may_go = |deed: &&Deed| !matches!(deed.step.when, When::Says { or_not: true, .. });
    let left: Vec<&Deed> = take.scenario.deeds[take.taken..].iter().filter(may_go).collect();
    if let Some(next) = left.first() {
        let (left, next) = (left.len(), &next.told);
        faults.push(format!("it ended with {left} things left to do, from `{next}` on"));
    }
    match (expect.ends, &take.ending) {
        (Some(End::Far), Ending::Far) | (Some(End::Caller), Ending::Done) | (None, _) => {}
        (Some(End::Far), _) => faults.push("the far end did not hang up".to_owned()),
        (Some(End::Caller), _) => faults.push("the caller was not left to hang up".to_owned()),
    }
    faults.extend(score.said.iter().filter(|it| it.heard == Some(false)).map(Said::fault));
    faults.extend(human::fault(take, score.human));
    faults
}

#[cfg(test)]
#[path = "score_tests.rs"]
mod tests;
