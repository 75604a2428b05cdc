//! Two timelines of one call side by side, in words: which turns were taken when, what was said
//! and done, how it ended.
//!
//! Turns belong together where they overlap in the caller's sound; lines and deeds are held against
//! each other as texts are, by their longest common part.

use crate::timeline::{Entry, Outcome, What};

/// Times closer than this are the same to whoever listens: a tick.
const SAME_MS: u64 = 20;

/// What differs between a call and what it would have been; a line each, none where nothing does.
#[must_use]
pub fn differences(was: &[Entry], would_be: &[Entry]) -> Vec<String> {
    let mut lines = turns(&taken(was), &taken(would_be));
    lines.extend(changed("said", &said(was), &said(would_be)));
    lines.extend(changed("done", &done(was), &done(would_be)));
    lines.extend(end(was, would_be));
    lines
}

/// A turn of the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Turn {
    began_ms: u64,
    ended_ms: u64,
    text: String,
    /// When it was taken for over.
    taken_ms: u64,
    /// When its answer began to sound.
    answered_ms: Option<u64>,
}

fn taken(entries: &[Entry]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for entry in entries {
        match &entry.what {
            What::CallerSpoke { text, began_ms, ended_ms, rejected, .. } => {
                let not = if *rejected { " (not understood)" } else { "" };
                let text = format!("{text:?}{not}");
                let (began_ms, ended_ms, taken_ms) = (*began_ms, *ended_ms, entry.at_ms);
                turns.push(Turn { began_ms, ended_ms, text, taken_ms, answered_ms: None });
            }
            What::Latency { speech_ended_ms, turn_ended_ms, first_sound_ms, .. } => {
                let own = |turn: &&mut Turn| turn.ended_ms == *speech_ended_ms;
                if let Some(turn) = turns.iter_mut().rev().find(own) {
                    turn.taken_ms = *turn_ended_ms;
                    turn.answered_ms = Some(*first_sound_ms);
                }
            }
            _ => {}
        }
    }
    turns
}

fn turns(was: &[Turn], would_be: &[Turn]) -> Vec<String> {
    let (mut lines, mut same) = (Vec::new(), 0);
    for (was, would_be) in together(was, would_be) {
        match (was.as_slice(), would_be.as_slice()) {
            ([was], [would_be]) => match one(was, would_be) {
                Some(line) => lines.push(line),
                None => same += 1,
            },
            ([was], []) => lines.push(format!("turn {}: not taken", shown(was))),
            ([], [would_be]) => lines.push(format!("turn {}: taken now", shown(would_be))),
            ([was], parts) => {
                lines.push(format!("turn {}: cut into {}", shown(was), texts(parts)));
            }
            (parts, [would_be]) => {
                let (parts, into) = (texts(parts), shown(would_be));
                lines.push(format!("turns {parts}: merged into {into}"));
            }
            (was, would_be) => {
                lines.push(format!("turns {} became {}", texts(was), texts(would_be)));
            }
        }
    }
    if !lines.is_empty() && same > 0 {
        lines.push(format!("turns as they were: {same}"));
    }
    lines
}

/// Turns of both that overlap, directly or by another.
fn together<'t>(was: &'t [Turn], would_be: &'t [Turn]) -> Vec<(Vec<&'t Turn>, Vec<&'t Turn>)> {
    let left = was.iter().map(|turn| (turn, true));
    let mut all: Vec<_> = left.chain(would_be.iter().map(|turn| (turn, false))).collect();
    all.sort_by_key(|(turn, _)| turn.began_ms);
    let (mut groups, mut until_ms): (Vec<(Vec<_>, Vec<_>)>, _) = (Vec::new(), None);
    for (turn, was_there) in all {
        if until_ms.is_none_or(|until_ms| turn.began_ms >= until_ms) {
            groups.push((Vec::new(), Vec::new()));
        }
        until_ms = until_ms.max(Some(turn.ended_ms));
        let (left, right) = groups.last_mut().expect("pushed above");
        if was_there { left.push(turn) } else { right.push(turn) }
    }
    groups
}

fn one(was: &Turn, would_be: &Turn) -> Option<String> {
    let mut parts = Vec::new();
    if was.text != would_be.text {
        parts.push(format!("understood as {}", would_be.text));
    }
    parts.extend(shift("taken", Some(was.taken_ms), Some(would_be.taken_ms)));
    parts.extend(shift("answered", was.answered_ms, would_be.answered_ms));
    (!parts.is_empty()).then(|| format!("turn {}: {}", shown(was), parts.join(", ")))
}

fn shift(what: &str, was_ms: Option<u64>, would_be_ms: Option<u64>) -> Option<String> {
    match (was_ms, would_be_ms) {
        (Some(was), Some(would_be)) if was.abs_diff(would_be) < SAME_MS => None,
        (Some(was), Some(would_be)) => {
            let way = if would_be < was { "earlier" } else { "later" };
            Some(format!("{what} {} ms {way}", was.abs_diff(would_be)))
        }
        (Some(_), None) => Some(format!("not {what}")),
        (None, Some(_)) => Some(format!("{what} now")),
        (None, None) => None,
    }
}

fn shown(turn: &Turn) -> String {
    format!("at {} {}", seconds(turn.began_ms), turn.text)
}

fn texts(turns: &[&Turn]) -> String {
    turns.iter().map(|turn| shown(turn)).collect::<Vec<_>>().join(" and ")
}

fn seconds(ms: u64) -> String {
    format!("{}.{:02} s", ms / 1_000, ms % 1_000 / 10)
}

/// What the caller was played, line by line, and whether it was cut.
fn said(entries: &[Entry]) -> Vec<String> {
    let ended = entries.iter().filter_map(|entry| match &entry.what {
        What::PromptEnded { heard, unsaid, .. } => Some(match (&**heard, &**unsaid) {
            (heard, "") => format!("{heard:?}"),
            ("", unsaid) => format!("nothing of {unsaid:?}"),
            (heard, unsaid) => format!("{heard:?}, and not {unsaid:?}"),
        }),
        _ => None,
    });
    ended.collect()
}

/// What was understood and done.
fn done(entries: &[Entry]) -> Vec<String> {
    let done = entries.iter().filter_map(|entry| match &entry.what {
        What::Understood { intent, .. } => Some(format!("understood {intent}")),
        What::SlotFilled { slot, value, .. } => Some(format!("{slot} is {value:?}")),
        What::ToolInvoked { tool, arguments, .. } => Some(format!("called {tool} {arguments}")),
        What::ToolAnswered { tool, verdict, .. } => {
            Some(format!("{tool} answered: {}", name(verdict)))
        }
        What::MessageTaken { text } => Some(format!("took the message {text:?}")),
        What::EscalationTriggered { reason, .. } => Some(format!("asked for a person: {reason}")),
        What::Bridged { agent } => Some(format!("put through to {agent}")),
        What::NobodyCame { queue } => Some(format!("nobody of {queue} came")),
        _ => None,
    });
    done.collect()
}

/// Items of one list alone, "-" of the first and "+" of the second, in order.
fn changed(what: &str, was: &[String], would_be: &[String]) -> Vec<String> {
    let common = common_lengths(was, would_be);
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < was.len() || j < would_be.len() {
        if i < was.len() && j < would_be.len() && was[i] == would_be[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == would_be.len() || (i < was.len() && common[i + 1][j] >= common[i][j + 1]) {
            lines.push(format!("{what} - {}", was[i]));
            i += 1;
        } else {
            lines.push(format!("{what} + {}", would_be[j]));
            j += 1;
        }
    }
    lines
}

/// Lengths of the longest common part of what follows each pair of places.
fn common_lengths(left: &[String], right: &[String]) -> Vec<Vec<usize>> {
    let mut lengths = vec![vec![0; right.len() + 1]; left.len() + 1];
    for i in (0..left.len()).rev() {
        for j in (0..right.len()).rev() {
            lengths[i][j] = match left[i] == right[j] {
                true => lengths[i + 1][j + 1] + 1,
                false => lengths[i + 1][j].max(lengths[i][j + 1]),
            };
        }
    }
    lengths
}

fn end(was: &[Entry], would_be: &[Entry]) -> Option<String> {
    let end = |entries: &[Entry]| {
        entries.iter().rev().find_map(|entry| match &entry.what {
            What::Ended { outcome, cause } => Some((*outcome, cause.clone(), entry.at_ms)),
            _ => None,
        })
    };
    let told = |end: &Option<(Outcome, String, u64)>| match end {
        Some((outcome, cause, at_ms)) => {
            format!("{} ({cause}) at {}", name(outcome), seconds(*at_ms))
        }
        None => "none".to_owned(),
    };
    let (was, would_be) = (end(was), end(would_be));
    let same = match (&was, &would_be) {
        (Some((was, cause, at_ms)), Some((would_be, other, other_ms))) => {
            was == would_be && cause == other && at_ms.abs_diff(*other_ms) < SAME_MS
        }
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    (!same).then(|| format!("end: {}, and was {}", told(&would_be), told(&was)))
}

/// The name that a value has on timelines.
fn name(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_default();
    text.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(at_ms: u64, what: What) -> Entry {
        Entry { v: 1, at_ms, what }
    }

    fn spoke(text: &str, began_ms: u64, ended_ms: u64, taken_ms: u64) -> Vec<Entry> {
        let (text, confidence, rejected) = (text.to_owned(), 1.0, false);
        let spoke = What::CallerSpoke { text, confidence, rejected, began_ms, ended_ms };
        let latency = What::Latency {
            speech_ended_ms: ended_ms,
            turn_ended_ms: taken_ms,
            recognized_ms: taken_ms + 100,
            first_sound_ms: taken_ms + 200,
            buffer_ms: 40,
        };
        vec![entry(taken_ms + 100, spoke), entry(taken_ms + 200, latency)]
    }

    fn heard(text: &str, unsaid: &str) -> Vec<Entry> {
        let (heard, unsaid) = (text.to_owned(), unsaid.to_owned());
        vec![entry(0, What::PromptEnded { prompt: 1, heard, unsaid, uncertainty_ms: 0 })]
    }

    #[test]
    fn a_turn_that_is_taken_earlier_is_told_with_how_much() {
        let (was, now) = (spoke("yes", 1_000, 1_500, 2_200), spoke("yes", 1_000, 1_500, 1_800));
        let line = "turn at 1.00 s \"yes\": taken 400 ms earlier, answered 400 ms earlier";
        assert_eq!(differences(&was, &now), [line]);
        assert_eq!(differences(&now, &was), [line.replace("earlier", "later")]);
        assert!(differences(&was, &was).is_empty());
    }

    #[test]
    fn turns_that_are_cut_merged_lost_and_new_are_told() {
        let whole = spoke("one two", 1_000, 4_000, 5_000);
        let parts = [spoke("one", 1_000, 2_000, 2_400), spoke("two", 3_000, 4_000, 5_000)].concat();
        let cut = "turn at 1.00 s \"one two\": cut into at 1.00 s \"one\" and at 3.00 s \"two\"";
        assert_eq!(differences(&whole, &parts), [cut]);
        let merged =
            "turns at 1.00 s \"one\" and at 3.00 s \"two\": merged into at 1.00 s \"one two\"";
        assert_eq!(differences(&parts, &whole), [merged]);
        let lines = differences(&parts[..2], &parts);
        assert_eq!(lines, ["turn at 3.00 s \"two\": taken now", "turns as they were: 1"]);
        let lines = differences(&parts, &parts[2..]);
        assert_eq!(lines, ["turn at 1.00 s \"one\": not taken", "turns as they were: 1"]);
    }

    #[test]
    fn lines_deeds_and_the_end_are_told_where_they_differ() {
        let end = |outcome| vec![entry(9_000, What::Ended { outcome, cause: "bye".to_owned() })];
        let was = [heard("Hello.", ""), heard("Bye.", ""), end(Outcome::Resolved)].concat();
        let now = [heard("Hello.", ""), heard("Good", "bye."), end(Outcome::Abandoned)].concat();
        let lines = [
            "said - \"Bye.\"",
            "said + \"Good\", and not \"bye.\"",
            "end: abandoned (bye) at 9.00 s, and was resolved (bye) at 9.00 s",
        ];
        assert_eq!(differences(&was, &now), lines);
        let triggered = |reason: &str| {
            let (queue, reason) = ("service".to_owned(), reason.to_owned());
            let trigger = crate::timeline::Trigger::Asked;
            vec![entry(1, What::EscalationTriggered { trigger, reason, queue })]
        };
        let lines = ["done + asked for a person: because"];
        assert_eq!(differences(&[], &triggered("because")), lines);
    }
}
