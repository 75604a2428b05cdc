//! An end of turn and a language model that answer as they were told.

use std::sync::Arc;

use crate::speech::{EndOfTurn, EngineFault, Intent, LanguageModel, Ranked, TurnSoFar};

/// Gives the same probability for every turn.
#[derive(Clone, Copy, Debug)]
pub struct ScriptedEndOfTurn(
    /// What `judge` gives, 0 to 1.
    pub f32,
);

impl EndOfTurn for ScriptedEndOfTurn {
    fn judge(&mut self, _turn: &TurnSoFar<'_>) -> f32 {
        self.0
    }
}

/// Ranks by a list of (what was said, which intent); what is not on it is none of the intents.
#[derive(Clone, Debug, Default)]
pub struct ScriptedLanguageModel {
    answers: Vec<(String, Arc<str>)>,
}

impl ScriptedLanguageModel {
    /// Makes a model with its answers.
    pub fn new<'a>(answers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let owned = |(said, name): (&str, &str)| (said.to_owned(), Arc::from(name));
        Self { answers: answers.into_iter().map(owned).collect() }
    }
}

impl LanguageModel for ScriptedLanguageModel {
    fn rank(&mut self, said: &str, intents: &[Intent]) -> Result<Vec<Ranked>, EngineFault> {
        let answer = self.answers.iter().find(|(text, _)| text == said).map(|(_, name)| name);
        let chosen = |intent: &Intent| answer == Some(&intent.name);
        let ranked = |intent: &Intent| Ranked {
            name: Arc::clone(&intent.name),
            probability: if chosen(intent) { 0.95 } else { 0.0 },
        };
        let mut all: Vec<Ranked> = intents.iter().map(ranked).collect();
        all.sort_by(|a, b| b.probability.total_cmp(&a.probability));
        Ok(all)
    }
}
