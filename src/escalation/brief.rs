//! The brief: what an agent hears before the caller, made from the context packet. Who calls, why
//! a human, what they want, what was done, which keys.
//!
//! It must be short, for a caller is waiting: it is cut, part by part, until it fits
//! `BUDGET_MS`. Deliberately absent: the whole story, which the desk's page has.

use serde_json::Value;

use super::uui::{ANONYMOUS, display_number};
use crate::timeline::{ActionFact, ContextPacket, Trigger};

/// What the keys do, said at the end of each brief, and after a key that does nothing.
pub const INSTRUCTION: &str = "Press 1 to accept, 2 to decline, 3 to repeat.";

/// How long a brief may be, ms: what agents listen to before they talk over a whisper, and enough
/// for a number, a reason, an order and the keys.
const BUDGET_MS: u32 = 12_500;
/// Words of the caller kept at first, and at the least.
const ISSUE_WORDS: std::ops::RangeInclusive<usize> = 5..=16;
/// Said where there is no reason that could be said.
const NO_REASON: &str = "A person must decide.";
/// Words kept of a reason or of what was done, which others wrote.
const CLAUSE_WORDS_MAX: usize = 12;
/// Digits of a number that are enough to tell callers apart; the display has it in full.
const NUMBER_TAIL: usize = 4;

/// The text to be spoken to the agent.
#[must_use]
pub fn brief(packet: &ContextPacket) -> String {
    let mut parts = Parts::new(packet);
    loop {
        let text = parts.text();
        if spoken_ms(&text) <= BUDGET_MS || !parts.shorten() {
            return text;
        }
    }
}

/// A brief in the making.
struct Parts<'a> {
    caller: String,
    /// The caller named by the last digits, until that is made use of.
    short: Option<String>,
    asked: bool,
    why: String,
    issue: &'a str,
    issue_words: usize,
    done: String,
}

impl<'a> Parts<'a> {
    fn new(packet: &'a ContextPacket) -> Self {
        let number = display_number(&packet.caller);
        Self {
            caller: caller(&number),
            short: caller_short(&number),
            asked: packet.trigger == Trigger::Asked,
            why: why(packet),
            issue: &packet.stated_issue,
            issue_words: *ISSUE_WORDS.end(),
            done: done(packet),
        }
    }

    fn text(&self) -> String {
        let said = said(self.issue, self.issue_words);
        let parts = [&*self.caller, &*self.why, &*said, &*self.done, INSTRUCTION];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(" ")
    }

    /// Gives up what the agent misses least; false where nothing is left to give up.
    fn shorten(&mut self) -> bool {
        if let Some(short) = self.short.take() {
            self.caller = short;
            if self.asked {
                self.caller += " asked for a person";
                self.why.clear();
            }
            self.caller.push('.');
        } else if self.issue_words > *ISSUE_WORDS.start() {
            self.issue_words -= 1;
        } else if !self.done.is_empty() {
            self.done.clear();
        } else if self.issue_words > 0 {
            self.issue_words -= 1;
        } else if self.why.len() > NO_REASON.len() {
            NO_REASON.clone_into(&mut self.why);
        } else {
            return false;
        }
        true
    }
}

/// How long a text takes to be spoken, ms, by a rule of thumb: within 2 % of flite's `slt` on
/// whole briefs, 12 % on single sentences, digits spaced (`flite -voice slt -t TEXT -o X.wav`).
#[must_use]
pub fn spoken_ms(text: &str) -> u32 {
    text.split_whitespace().map(word_ms).sum()
}

fn word_ms(word: &str) -> u32 {
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    let letters = u32::try_from(core.chars().count()).unwrap_or(u32::MAX / 100);
    let core_ms = if core.chars().all(|c| c.is_ascii_digit()) {
        280 * letters
    } else {
        90 + 50 * letters.min(1_000)
    };
    let pause_ms = match word.chars().last() {
        Some('.' | ':' | '?' | '!') => 200,
        Some(',' | ';') => 150,
        Some(_) | None => 0,
    };
    core_ms + pause_ms
}

fn caller(number: &str) -> String {
    if number == ANONYMOUS {
        return "The caller's number is withheld.".to_owned();
    }
    format!("Call from {}.", spaced(&speakable_name(number)))
}

/// The shorter form, where there is one.
fn caller_short(number: &str) -> Option<String> {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    (digits.len() > NUMBER_TAIL).then(|| {
        let tail: String = digits[digits.len() - NUMBER_TAIL..].iter().collect();
        format!("Caller ending in {}", spaced(&tail))
    })
}

fn speakable_name(number: &str) -> String {
    let letters = number.contains(|c: char| c.is_alphabetic());
    let kept = number.chars().filter_map(|c| match c {
        '+' | '*' | '#' => None,
        '-' | '.' | '_' => letters.then_some(' '),
        other => Some(other),
    });
    kept.collect()
}

fn why(packet: &ContextPacket) -> String {
    match packet.trigger {
        Trigger::Asked => "The caller asked for a person.".to_owned(),
        Trigger::Repairs => "The assistant could not understand the caller.".to_owned(),
        Trigger::LowConfidence => "The caller is hard to understand.".to_owned(),
        Trigger::ToolFailed => "A system failed.".to_owned(),
        Trigger::Emergency => "This may be an emergency.".to_owned(),
        Trigger::Rule if packet.reason.trim().is_empty() => NO_REASON.to_owned(),
        Trigger::Rule => sentence(&packet.reason, CLAUSE_WORDS_MAX),
    }
}

fn said(issue: &str, words: usize) -> String {
    let issue = sentence(issue, words);
    if issue.is_empty() { issue } else { format!("They said: {issue}") }
}

fn done(packet: &ContextPacket) -> String {
    let settled = packet.resolved.last().map(|line| sentence(line, CLAUSE_WORDS_MAX));
    settled.or_else(|| packet.actions.last().map(action)).unwrap_or_default()
}

/// What a tool did, in words: its name, its first argument, its status.
fn action(action: &ActionFact) -> String {
    let argument = match &action.arguments {
        Value::Object(arguments) => arguments.values().find_map(scalar).unwrap_or_default(),
        other => scalar(other).unwrap_or_default(),
    };
    let outcome = if action.succeeded {
        let status = ["status", "state", "message"].iter().find_map(|key| action.result.get(key));
        status.and_then(scalar).unwrap_or_else(|| "done".to_owned())
    } else {
        "failed".to_owned()
    };
    sentence(&format!("{} {argument}: {outcome}", action.tool), CLAUSE_WORDS_MAX)
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Makes one sentence that a voice can say: no markup, figures spaced, no more words than that
/// (spaced figures count as the one word that they were).
fn sentence(text: &str, words_max: usize) -> String {
    let plain: String = text
        .chars()
        .map(|c| if c.is_alphanumeric() || "'.,:?!%+-".contains(c) { c } else { ' ' })
        .collect();
    let words: Vec<&str> = plain.split_whitespace().take(words_max).collect();
    let line = spaced(&words.join(" "));
    let line = line.trim_matches(|c: char| !c.is_alphanumeric() && c != '%');
    let Some(first) = line.chars().next() else { return String::new() };
    let upper = first.to_uppercase().to_string();
    format!("{upper}{}.", &line[first.len_utf8()..])
}

/// Puts spaces between the digits of figures that are read digit by digit: three digits and more,
/// and those that begin with 0.
fn spaced(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let run = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        if run > 2 || (run == 2 && first == '0' && !out.ends_with(':')) {
            for (index, digit) in rest[..run].chars().enumerate() {
                if index > 0 || out.ends_with(char::is_alphanumeric) {
                    out.push(' ');
                }
                out.push(digit);
            }
            if rest[run..].starts_with(char::is_alphanumeric) {
                out.push(' ');
            }
            rest = &rest[run..];
        } else {
            let taken = run.max(first.len_utf8());
            out.push_str(&rest[..taken]);
            rest = &rest[taken..];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::packet::build;
    use super::super::tests::request;
    use super::*;

    fn packet() -> ContextPacket {
        let mut packet = build(&request("p1"));
        packet.caller = "sip:2025550100@203.0.113.7".into();
        packet.stated_issue = "where is my parcel".into();
        packet
    }

    #[test]
    fn a_brief_says_who_why_what_and_which_keys() {
        let packet = packet();
        assert_eq!(
            brief(&packet),
            "Call from 2 0 2 5 5 5 0 1 0 0. The caller asked for a person. They said: Where is my \
             parcel. Press 1 to accept, 2 to decline, 3 to repeat."
        );
    }

    #[test]
    fn what_was_done_is_said_and_the_number_shortened_for_it() {
        let mut packet = packet();
        packet.resolved = vec!["order 123456 is out for delivery".into()];
        assert_eq!(
            brief(&packet),
            "Caller ending in 0 1 0 0 asked for a person. They said: Where is my parcel. Order 1 2 \
             3 4 5 6 is out for delivery. Press 1 to accept, 2 to decline, 3 to repeat."
        );
    }

    #[test]
    fn an_action_is_said_where_nothing_is_settled() {
        let table = [
            (true, json!({"status": "out_for_delivery"}), "Order status 1 2 3: out for delivery."),
            (true, json!({}), "Order status 1 2 3: done."),
            (false, Value::Null, "Order status 1 2 3: failed."),
        ];
        for (succeeded, result, text) in table {
            let fact = ActionFact {
                tool: "order_status".into(),
                arguments: json!({"order_number": "123"}),
                succeeded,
                result,
            };
            assert_eq!(action(&fact), text);
        }
    }

    #[test]
    fn every_trigger_has_its_words() {
        let mut packet = packet();
        packet.reason = "Complaints go to <b>people</b>".into();
        for (trigger, text) in [
            (Trigger::Asked, "asked for a person"),
            (Trigger::Repairs, "could not understand"),
            (Trigger::LowConfidence, "hard to understand"),
            (Trigger::Rule, "Complaints go to b people b."),
            (Trigger::ToolFailed, "A system failed"),
            (Trigger::Emergency, "emergency"),
        ] {
            packet.trigger = trigger;
            assert!(brief(&packet).contains(text), "{}", brief(&packet));
        }
        packet.reason = " ".into();
        packet.trigger = Trigger::Rule;
        assert!(brief(&packet).contains("A person must decide."));
    }

    #[test]
    fn figures_are_spaced_where_they_are_read_digit_by_digit() {
        for (text, said) in [
            ("order 123456", "order 1 2 3 4 5 6"),
            ("at 18:00", "at 18:00"),
            ("25 euros", "25 euros"),
            ("AB123C", "AB 1 2 3 C"),
            ("007", "0 0 7"),
            ("", ""),
        ] {
            assert_eq!(spaced(text), said);
        }
    }

    proptest! {
        #[test]
        fn a_brief_always_fits_and_always_ends_in_the_keys(
            caller in "\\PC{0,60}",
            issue in "(\\PC{0,12} ){0,60}",
            settled in proptest::option::of("(\\PC{0,12} ){0,30}"),
        ) {
            let mut packet = packet();
            packet.caller = caller;
            packet.stated_issue = issue;
            packet.resolved = settled.into_iter().collect();
            let text = brief(&packet);
            prop_assert!(text.ends_with(INSTRUCTION));
            prop_assert!(text.chars().all(|c| !c.is_control() && c != '<' && c != '&'));
            prop_assert!(spoken_ms(&text) <= BUDGET_MS, "{}", text);
        }
    }
}
