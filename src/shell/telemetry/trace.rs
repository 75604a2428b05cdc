//! Traces: a projection of timelines. Pure: entries in, finished spans out.
//!
//! ```text
//! call ─┬─ turn ─┬─ end_of_turn   end of speech to the judgement that the turn is over
//!       │        ├─ recognition   to the words
//!       │        ├─ answer        to the first sound
//!       │        └─ tool NAME     asked for in this turn
//!       ├─ prompt                 first sound to last
//!       └─ escalation             trigger to bridge, or to nobody
//! ```
//!
//! A trace's id is the 128 bits of the call's ULID, so that one leads to the other. Attributes have
//! names of flows, tools and queues, numbers and verdicts; never what anybody said, keyed or is
//! called. Absent: how spans travel (`otlp`).

use std::collections::HashMap;

use super::figures::{trigger, verdict};
use crate::timeline::{CallId, Entry, What};

/// Calls that are followed at a time; those beyond it have no trace.
const CALLS_MAX: usize = 32_768;
/// Tools, prompts and the like of one call that may be open at a time; others have no span.
const OPEN_MAX: usize = 64;

/// A finished span.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Span {
    pub(crate) trace: u128,
    pub(crate) id: u64,
    /// 0 where it is the call's own.
    pub(crate) parent: u64,
    pub(crate) name: String,
    pub(crate) began_unix_ms: u64,
    pub(crate) ended_unix_ms: u64,
    pub(crate) attributes: Vec<(&'static str, Attribute)>,
    pub(crate) is_fault: bool,
}

/// A value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Attribute {
    Text(String),
    Number(i64),
    Share(f64),
    Is(bool),
}

/// A span that has begun.
#[derive(Debug)]
struct Open {
    kind: Kind,
    id: u64,
    parent: u64,
    name: String,
    began_ms: u64,
    attributes: Vec<(&'static str, Attribute)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Turn,
    Tool(u32),
    Prompt(u32),
    Escalation,
}

/// What is known of a call under way.
#[derive(Debug)]
struct Call {
    trace: u128,
    rang_unix_ms: u64,
    last_id: u64,
    turns: i64,
    attributes: Vec<(&'static str, Attribute)>,
    open: Vec<Open>,
}

/// Makes spans of entries.
#[derive(Debug, Default)]
pub(crate) struct TraceProjection {
    calls: HashMap<CallId, Call>,
}

impl TraceProjection {
    /// Takes the next entry of a call; gives the spans that it finishes.
    pub(crate) fn take(&mut self, call: &CallId, entry: &Entry) -> Vec<Span> {
        if let What::Rang { leg, wall_unix_ms, build, flow, flow_version, .. } = &entry.what {
            let trace = ulid::Ulid::from_string(&call.0).map_or(0, |id| id.0);
            if trace != 0 && self.calls.len() < CALLS_MAX {
                let text = |text: &str| Attribute::Text(text.to_owned());
                let attributes = vec![
                    ("cordboard.call", text(&call.0)),
                    ("cordboard.leg", Attribute::Text(format!("{leg:?}").to_lowercase())),
                    ("cordboard.flow", text(flow)),
                    ("cordboard.flow_version", text(flow_version)),
                    ("cordboard.build", text(build)),
                ];
                self.calls.insert(call.clone(), Call::new(trace, *wall_unix_ms, attributes));
            }
            return Vec::new();
        }
        let Some(known) = self.calls.get_mut(call) else { return Vec::new() };
        let mut spans = Vec::new();
        known.take(entry, &mut spans);
        if matches!(entry.what, What::Ended { .. }) {
            self.calls.remove(call);
        }
        spans
    }
}

impl Call {
    fn new(trace: u128, rang_unix_ms: u64, attributes: Vec<(&'static str, Attribute)>) -> Self {
        Self { trace, rang_unix_ms, last_id: 1, turns: 0, attributes, open: Vec::new() }
    }

    fn take(&mut self, entry: &Entry, spans: &mut Vec<Span>) {
        let at_ms = entry.at_ms;
        match &entry.what {
            What::CallerSpoke { confidence, rejected, ended_ms, .. } => {
                self.close(Kind::Turn, at_ms, Vec::new(), false, spans);
                self.turns += 1;
                let attributes = vec![
                    ("cordboard.turn", Attribute::Number(self.turns)),
                    ("cordboard.confidence", Attribute::Share(f64::from(*confidence))),
                    ("cordboard.rejected", Attribute::Is(*rejected)),
                ];
                self.begin(Kind::Turn, "turn", *ended_ms, attributes);
            }
            What::Latency {
                speech_ended_ms, turn_ended_ms, recognized_ms, first_sound_ms, ..
            } => {
                let instants = [*speech_ended_ms, *turn_ended_ms, *recognized_ms, *first_sound_ms];
                self.answer(instants, spans);
            }
            What::ToolInvoked { invocation, tool, .. } => {
                let attributes = vec![("cordboard.tool", Attribute::Text(tool.clone()))];
                self.begin(Kind::Tool(*invocation), &format!("tool {tool}"), at_ms, attributes);
            }
            What::ToolAnswered { invocation, verdict: it, .. } => {
                let named = Attribute::Text(verdict(it).to_owned());
                let failed = verdict(it) != "done";
                let attributes = vec![("cordboard.verdict", named)];
                self.close(Kind::Tool(*invocation), at_ms, attributes, failed, spans);
            }
            What::PromptBegan { prompt, .. } => {
                self.begin(Kind::Prompt(*prompt), "prompt", at_ms, Vec::new());
            }
            What::PromptEnded { prompt, unsaid, .. } => {
                let attributes = vec![("cordboard.whole", Attribute::Is(unsaid.is_empty()))];
                self.close(Kind::Prompt(*prompt), at_ms, attributes, false, spans);
            }
            What::EscalationTriggered { trigger: it, queue, .. } => {
                let attributes = vec![
                    ("cordboard.trigger", Attribute::Text(trigger(*it).to_owned())),
                    ("cordboard.queue", Attribute::Text(queue.clone())),
                ];
                self.begin(Kind::Escalation, "escalation", at_ms, attributes);
            }
            What::Bridged { .. } => {
                let attributes = vec![("cordboard.bridged", Attribute::Is(true))];
                self.close(Kind::Escalation, at_ms, attributes, false, spans);
            }
            What::NobodyCame { .. } => {
                let attributes = vec![("cordboard.bridged", Attribute::Is(false))];
                self.close(Kind::Escalation, at_ms, attributes, false, spans);
            }
            What::Ended { outcome, .. } => {
                let outcome = super::figures::outcome(*outcome);
                self.end(at_ms, outcome, spans);
            }
            _ => {}
        }
    }

    /// The turn's own span, and the three stretches that it is made of.
    fn answer(&mut self, instants: [u64; 4], spans: &mut Vec<Span>) {
        let [speech_ended_ms, .., first_sound_ms] = instants;
        if !self.open.iter().any(|open| open.kind == Kind::Turn) {
            // Keys have no words: their turn begins with its answer.
            self.turns += 1;
            let attributes = vec![("cordboard.turn", Attribute::Number(self.turns))];
            self.begin(Kind::Turn, "turn", speech_ended_ms, attributes);
        }
        let Some(index) = self.open.iter().position(|open| open.kind == Kind::Turn) else { return };
        let mut turn = self.open.swap_remove(index);
        turn.began_ms = speech_ended_ms;
        for (name, stretch) in
            ["end_of_turn", "recognition", "answer"].iter().zip(instants.windows(2))
        {
            let id = self.next_id();
            let kind = turn.kind;
            let [began_ms, ended_ms] = [stretch[0], stretch[1]];
            let name = (*name).to_owned();
            let part = Open { kind, id, parent: turn.id, name, began_ms, attributes: Vec::new() };
            spans.push(self.finished(part, ended_ms, Vec::new(), false));
        }
        spans.push(self.finished(turn, first_sound_ms, Vec::new(), false));
    }

    fn begin(
        &mut self,
        kind: Kind,
        name: &str,
        began_ms: u64,
        attributes: Vec<(&'static str, Attribute)>,
    ) {
        if self.open.len() >= OPEN_MAX {
            return;
        }
        let turn = self.open.iter().find(|open| open.kind == Kind::Turn).map(|turn| turn.id);
        let parent = if matches!(kind, Kind::Tool(_)) { turn } else { None };
        let (id, parent) = (self.next_id(), parent.unwrap_or_else(|| self.root()));
        self.open.push(Open { kind, id, parent, name: name.to_owned(), began_ms, attributes });
    }

    fn close(
        &mut self,
        kind: Kind,
        ended_ms: u64,
        more: Vec<(&'static str, Attribute)>,
        is_fault: bool,
        spans: &mut Vec<Span>,
    ) {
        if let Some(index) = self.open.iter().position(|open| open.kind == kind) {
            let open = self.open.swap_remove(index);
            spans.push(self.finished(open, ended_ms, more, is_fault));
        }
    }

    /// Ends the call, and with it whatever of it is open.
    fn end(&mut self, ended_ms: u64, outcome: &str, spans: &mut Vec<Span>) {
        for open in std::mem::take(&mut self.open) {
            spans.push(self.finished(open, ended_ms, Vec::new(), false));
        }
        let mut attributes = std::mem::take(&mut self.attributes);
        attributes.push(("cordboard.outcome", Attribute::Text(outcome.to_owned())));
        spans.push(Span {
            trace: self.trace,
            id: self.root(),
            parent: 0,
            name: "call".to_owned(),
            began_unix_ms: self.rang_unix_ms,
            ended_unix_ms: self.rang_unix_ms + ended_ms,
            attributes,
            is_fault: matches!(outcome, "failed" | "broken_off"),
        });
    }

    fn finished(
        &self,
        open: Open,
        ended_ms: u64,
        more: Vec<(&'static str, Attribute)>,
        is_fault: bool,
    ) -> Span {
        let mut attributes = open.attributes;
        attributes.extend(more);
        Span {
            trace: self.trace,
            id: open.id,
            parent: open.parent,
            name: open.name,
            began_unix_ms: self.rang_unix_ms + open.began_ms,
            ended_unix_ms: self.rang_unix_ms + ended_ms.max(open.began_ms),
            attributes,
            is_fault,
        }
    }

    /// The id of the call's own span.
    fn root(&self) -> u64 {
        self.mixed(1)
    }

    fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.mixed(self.last_id)
    }

    /// An id that no other span of the trace has: adding is undone by subtracting, and so is every
    /// step after it (splitmix64's finalizer, Steele et al. 2014). 0 is no id.
    fn mixed(&self, number: u64) -> u64 {
        let mut id = (self.trace as u64).wrapping_add(number);
        id = (id ^ (id >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        id = (id ^ (id >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (id ^ (id >> 31)).max(1)
    }
}
