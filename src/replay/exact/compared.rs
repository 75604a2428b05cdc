//! Two timelines of one call, byte for byte.
//!
//! One thing on a kept timeline is not the call's own: whether a recording is whole, which the
//! writing thread says once it is on the disk (`recording_ended`, `complete`). It is left out.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use super::ExactFault;
use crate::store::Queries;
use crate::timeline::{CallId, Entry, What};

/// Entries that are asked for at once.
const PAGE: u32 = 1_000;

/// Where two timelines part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Number of the entry, from 1.
    pub entry: usize,
    /// What was kept there, JSON; nothing where the timeline is over.
    pub kept: Option<String>,
    /// What the call played again says there.
    pub again: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let told = |entry: &Option<String>| entry.clone().unwrap_or_else(|| "nothing".to_owned());
        writeln!(f, "differs at entry {}", self.entry)?;
        writeln!(f, "  kept   {}", told(&self.kept))?;
        write!(f, "  again  {}", told(&self.again))
    }
}

/// The first entry that is not the same in both, byte for byte; none where the timelines are one.
#[must_use]
pub fn first_difference(kept: &[String], again: &[Entry]) -> Option<Difference> {
    let again: Vec<String> = again.iter().map(json).collect();
    let most = kept.len().max(again.len());
    let place = (0..most).find(|place| {
        let own = |entry: Option<&String>| entry.map(|entry| calls_own(entry).into_owned());
        own(kept.get(*place)) != own(again.get(*place))
    })?;
    let at = |entries: &[String]| entries.get(place).cloned();
    Some(Difference { entry: place + 1, kept: at(kept), again: at(&again) })
}

/// An entry as the store keeps it.
fn json(entry: &Entry) -> String {
    serde_json::to_string(entry).unwrap_or_default()
}

/// An entry without what the writing thread adds.
fn calls_own(entry: &str) -> Cow<'_, str> {
    if !entry.contains("\"what\":\"recording_ended\"") {
        return Cow::Borrowed(entry);
    }
    match serde_json::from_str::<Entry>(entry) {
        Ok(Entry { v, at_ms, what: What::RecordingEnded { length_ms, .. } }) => {
            let what = What::RecordingEnded { length_ms, complete: true };
            Cow::Owned(json(&Entry { v, at_ms, what }))
        }
        Ok(_) | Err(_) => Cow::Borrowed(entry),
    }
}

/// The timeline of a call as the store in a folder has it, entry by entry, JSON.
///
/// # Errors
/// Where the database does not answer, or has it not, or not whole.
pub async fn kept_timeline(folder: &Path, call: &CallId) -> Result<Vec<String>, ExactFault> {
    let queries = Queries::read_only(folder);
    let (mut entries, mut after) = (Vec::new(), -1);
    loop {
        let page = queries
            .timeline(call, after, PAGE)
            .await
            .map_err(|source| ExactFault::Timelines { folder: folder.to_owned(), source })?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        entries.extend(page.into_iter().map(|row| row.json));
    }
    match entries.last() {
        None => Err(ExactFault::NoTimeline { call: call.clone(), folder: folder.to_owned() }),
        Some(last) if last.contains("\"what\":\"ended\"") => Ok(entries),
        Some(_) => Err(ExactFault::Unended { call: call.clone() }),
    }
}

/// How many of so many calls are what they were, in words.
#[must_use]
pub fn summary(identical: usize, total: usize) -> String {
    format!("{} of {} identical", grouped(identical), grouped(total))
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for (place, digit) in digits[first..].char_indices() {
        if place % 3 == 0 && !text.is_empty() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::Outcome;

    fn entry(at_ms: u64, what: What) -> Entry {
        Entry { v: 1, at_ms, what }
    }

    #[test]
    fn the_first_entry_that_is_not_the_same_is_told_with_both() {
        let ended = What::Ended { outcome: Outcome::Resolved, cause: "bye".to_owned() };
        let again = [entry(0, What::Answered), entry(40, ended)];
        let mut kept: Vec<String> = again.iter().map(json).collect();
        assert_eq!(first_difference(&kept, &again), None);
        kept[1] = kept[1].replace("40", "41");
        let difference = first_difference(&kept, &again).expect("one is another");
        assert_eq!(difference.entry, 2);
        let said = difference.to_string();
        assert!(said.contains("\"at_ms\":41") && said.contains("\"at_ms\":40"), "{said}");
        kept.pop();
        let difference = first_difference(&kept, &again).expect("one is missing");
        assert_eq!((difference.entry, difference.kept), (2, None));
    }

    #[test]
    fn whether_a_recording_is_whole_is_not_the_calls_own() {
        let ended = |length_ms, complete| entry(40, What::RecordingEnded { length_ms, complete });
        let kept = [json(&ended(1_000, false))];
        assert_eq!(first_difference(&kept, &[ended(1_000, true)]), None);
        assert!(first_difference(&kept, &[ended(999, false)]).is_some());
    }

    #[test]
    fn thousands_stand_apart() {
        let all = [0, 7, 999, 1_000, 12_345, 1_000_000].map(grouped);
        assert_eq!(all, ["0", "7", "999", "1,000", "12,345", "1,000,000"]);
    }
}
