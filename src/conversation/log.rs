//! What caller and assistant have said, for the language model: the caller's words, what of the
//! assistant's was heard, and the tools that the model called.

use std::collections::VecDeque;

use cordboard_models::speech::{AnswerTurn, ToolCall};
use serde_json::Value;

use super::PromptId;

/// Entries that are kept; the oldest go first.
const ENTRIES_MAX: usize = 60;
/// Longest utterance that is kept whole, in characters.
const UTTERANCE_MAX: usize = 1_000;

#[derive(Clone, Debug)]
enum Entry {
    Caller(String),
    /// What is to be played, until it has ended; then what was heard of it.
    Assistant(PromptId, String),
    Tool(ToolCall, Value),
}

/// The last of what was said.
#[derive(Clone, Debug, Default)]
pub(super) struct Log(VecDeque<Entry>);

impl Log {
    pub(super) fn caller(&mut self, words: &str) {
        self.push(Entry::Caller(words.chars().take(UTTERANCE_MAX).collect()));
    }

    pub(super) fn assistant(&mut self, prompt: PromptId, text: &str) {
        self.push(Entry::Assistant(prompt, text.to_owned()));
    }

    /// A prompt has ended: from here on it is what was heard.
    pub(super) fn heard(&mut self, prompt: PromptId, heard: &str) {
        let texts = self.0.iter_mut().filter_map(|entry| match entry {
            Entry::Assistant(id, text) if *id == prompt => Some(text),
            _ => None,
        });
        texts.for_each(|text| heard.clone_into(text));
    }

    pub(super) fn tool(&mut self, call: ToolCall, result: Value) {
        self.push(Entry::Tool(call, result));
    }

    /// Whether the caller has said anything.
    pub(super) fn has_caller(&self) -> bool {
        self.0.iter().any(|entry| matches!(entry, Entry::Caller(_)))
    }

    /// All of it, with what one side said in a row in one turn.
    pub(super) fn turns(&self) -> Vec<AnswerTurn> {
        let mut turns = Vec::new();
        for entry in &self.0 {
            match (entry, turns.last_mut()) {
                (Entry::Assistant(_, text), _) if text.is_empty() => {}
                (Entry::Caller(text), Some(AnswerTurn::Caller(said)))
                | (Entry::Assistant(_, text), Some(AnswerTurn::Assistant(said))) => {
                    said.push(' ');
                    said.push_str(text);
                }
                (Entry::Caller(text), _) => turns.push(AnswerTurn::Caller(text.clone())),
                (Entry::Assistant(_, text), _) => turns.push(AnswerTurn::Assistant(text.clone())),
                (Entry::Tool(call, result), _) => {
                    turns.push(AnswerTurn::Tool { call: call.clone(), result: result.clone() });
                }
            }
        }
        turns
    }

    fn push(&mut self, entry: Entry) {
        if self.0.len() == ENTRIES_MAX {
            self.0.pop_front();
        }
        self.0.push_back(entry);
    }
}
