//! What the conversation knows of the caller's case: slots, results, actions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::values::SlotValue;
use super::{Case, Tool, ToolOutcome};
use crate::timeline::{ActionFact, SlotFact, Verified};

/// A value that the caller gave.
#[derive(Clone, Debug)]
pub(super) struct Filled {
    pub(super) value: SlotValue,
    pub(super) confidence: f32,
    pub(super) verified: Verified,
    /// Whether it may be used; else it must be read back first.
    pub(super) settled: bool,
}

/// A call of a tool, and what came of it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) tool: String,
    pub(super) arguments: Value,
    /// None until it is answered.
    pub(super) outcome: Option<ToolOutcome>,
}

/// All that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    pub(super) slots: BTreeMap<String, Filled>,
    pub(super) results: BTreeMap<String, Value>,
    /// By number of the invocation.
    pub(super) records: BTreeMap<u32, Record>,
    actions: Vec<ActionFact>,
    resolved: Vec<String>,
    unresolved: BTreeSet<String>,
    pub(super) stated_issue: String,
    /// The last words of the caller that were neither value nor command.
    pub(super) last_words: String,
    pub(super) intent: Option<String>,
    /// Intents that were begun in this call.
    pub(super) begun: BTreeSet<String>,
    pub(super) confidence: f32,
    pub(super) message_taken: bool,
}

impl Memory {
    pub(super) fn begin(&mut self, title: &str) {
        self.unresolved.insert(title.to_owned());
    }

    pub(super) fn settle(&mut self, title: &str) {
        self.unresolved.remove(title);
        if !self.resolved.iter().any(|known| known == title) {
            self.resolved.push(title.to_owned());
        }
    }

    /// Enters a tool's answer; none where it was answered before or never asked.
    pub(super) fn answer(
        &mut self,
        invocation: u32,
        outcome: &ToolOutcome,
        succeeded: bool,
    ) -> Option<&Record> {
        let record = self.records.get_mut(&invocation)?;
        if record.outcome.is_some() {
            return None;
        }
        record.outcome = Some(outcome.clone());
        self.actions.push(ActionFact {
            tool: record.tool.clone(),
            arguments: record.arguments.clone(),
            succeeded,
            result: outcome.result.clone(),
        });
        Some(record)
    }

    /// All invocations of a tool with these arguments.
    pub(super) fn alike<'a>(
        &'a self,
        tool: &'a str,
        arguments: &'a Value,
    ) -> impl Iterator<Item = &'a Record> {
        let all = self.records.values();
        all.filter(move |record| record.tool == tool && record.arguments == *arguments)
    }

    /// What a tool answered to these arguments, where that was an outcome and no failure.
    pub(super) fn answered(&self, tool: &Tool, arguments: &Value) -> Option<ToolOutcome> {
        let answered: Vec<&Record> = self.alike(&tool.name, arguments).collect();
        answered.iter().rev().find_map(|record| {
            let outcome = record.outcome.as_ref()?;
            tool.outcome(&outcome.verdict)?;
            Some(outcome.clone())
        })
    }

    /// Slots and results as conditions and templates read them.
    pub(super) fn known(&self) -> Map<String, Value> {
        let slots = self.slots.iter().map(|(name, filled)| (name.clone(), filled.value.json()));
        let results = self.results.iter().map(|(name, value)| (name.clone(), value.clone()));
        slots.chain(results).collect()
    }

    pub(super) fn case(&self) -> Case {
        let stated =
            if self.stated_issue.is_empty() { &self.last_words } else { &self.stated_issue };
        let slots = self.slots.iter().map(|(name, filled)| SlotFact {
            name: name.clone(),
            value: filled.value.text(),
            verified: filled.verified,
            confidence: filled.confidence,
        });
        Case {
            stated_issue: stated.clone(),
            intent: self.intent.clone(),
            confidence: self.confidence,
            slots: slots.collect(),
            actions: self.actions.clone(),
            resolved: self.resolved.clone(),
            unresolved: self.unresolved.iter().cloned().collect(),
            message_taken: self.message_taken,
        }
    }
}

/// Idempotency key: SHA-256 over call, step and arguments, each with its length before it, so
/// that no two different triples run together.
pub(super) fn idempotency_key(call_id: &str, step: &str, arguments: &Value) -> String {
    let mut digest = Sha256::new();
    for part in [call_id, step, &arguments.to_string()] {
        digest.update(part.len().to_be_bytes());
        digest.update(part.as_bytes());
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
