//! What a caller who looks at a page is shown beside the sound: the words of both sides as they
//! grow, and what is going on.
//!
//! The assistant's words are shown as they are heard, by the play-out clock, so that a page says
//! nothing that an interruption then takes back. A leg without a page is shown nothing, and costs
//! nothing.

use std::sync::Arc;

use super::{Call, LegCommand, Output, Phase};
use crate::timeline::{LegKind, LegRole, Outcome};

/// Something to be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// The caller's words in their turn, so far or finally; none where nothing was understood.
    Caller {
        /// Which turn, from 1.
        turn: u32,
        /// The words.
        text: String,
        /// Whether they will not change any more.
        is_final: bool,
    },
    /// A line of the assistant's.
    Assistant {
        /// Number of the prompt in the call.
        prompt: u32,
        /// The text of it.
        text: Arc<str>,
        /// The words that have been heard.
        heard: String,
        /// Whether no more of it will be heard.
        is_over: bool,
    },
    /// What is going on.
    Standing(Standing),
    /// The call is over.
    Ended {
        /// What came of it.
        outcome: Outcome,
        /// Who or what ended it.
        cause: String,
    },
}

/// What is going on in a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The caller may speak, or does.
    Listening,
    /// The caller has spoken, and an answer is made.
    Thinking,
    /// The assistant speaks.
    Speaking,
    /// The caller has put us on hold.
    OnHold,
    /// The caller waits for a human.
    Waiting,
    /// The caller talks with this human.
    WithAgent(String),
}

/// What has been shown.
#[derive(Debug, Default)]
pub(super) struct Captions {
    /// Turns of the caller that are over.
    turns: u32,
    /// The line shown last, and words of it.
    line: Option<(u32, usize)>,
    standing: Option<Standing>,
    /// The human who talks with the caller.
    pub(super) agent: String,
}

impl Call {
    /// Shows the words so far of the turn that is spoken.
    pub(super) fn show_partial(&mut self) {
        if let Some(partial) = self.hearing.partial().filter(|_| self.shows()) {
            let text = partial.text.clone();
            self.show_caller(text, false);
        }
    }

    /// Shows the words of a turn that is over.
    pub(super) fn show_final(&mut self, text: &str) {
        if self.shows() {
            self.show_caller(text.to_owned(), true);
            self.captions.turns += 1;
        }
    }

    fn show_caller(&mut self, text: String, is_final: bool) {
        let turn = self.captions.turns + 1;
        self.show(Shown::Caller { turn, text, is_final });
    }

    /// Shows what has been heard since the last tick, and what is going on.
    ///
    /// # Real-time
    /// Allocates where a word or the standing is new.
    pub(super) fn show_progress(&mut self) {
        if !self.shows() {
            return;
        }
        if let Some((prompt, text, heard)) = self.caller.voice.progress()
            && self.captions.line != Some((prompt, heard))
        {
            self.captions.line = Some((prompt, heard));
            let (text, is_over) = (Arc::clone(text), false);
            let heard = first_words(&text, heard);
            self.show(Shown::Assistant { prompt, text, heard, is_over });
        }
        let standing = self.standing();
        if self.captions.standing.as_ref() != Some(&standing) {
            self.captions.standing = Some(standing.clone());
            self.show(Shown::Standing(standing));
        }
    }

    /// Shows a line of which no more will be heard.
    pub(super) fn show_line_over(&mut self, prompt: u32, heard: &str, unsaid: &str) {
        if self.shows() {
            let text =
                if unsaid.is_empty() { heard.to_owned() } else { format!("{heard} {unsaid}") };
            let (text, heard) = (Arc::from(text.trim()), heard.to_owned());
            self.show(Shown::Assistant { prompt, text, heard, is_over: true });
        }
    }

    pub(super) fn show_end(&mut self, outcome: Outcome, cause: &str) {
        if self.shows() {
            self.show(Shown::Ended { outcome, cause: cause.to_owned() });
        }
    }

    fn standing(&self) -> Standing {
        if self.caller.held {
            return Standing::OnHold;
        }
        if self.bridged {
            return Standing::WithAgent(self.captions.agent.clone());
        }
        if self.caller.voice.playing().is_some() {
            return Standing::Speaking;
        }
        if self.phase == Phase::HandedOver {
            return Standing::Waiting;
        }
        let works = self.hearing.is_waiting() || !self.caller.voice.is_idle() || !self.asked;
        if works && !self.floor.caller_holds() { Standing::Thinking } else { Standing::Listening }
    }

    fn shows(&self) -> bool {
        self.facts.leg == LegKind::Browser
    }

    fn show(&mut self, shown: Shown) {
        self.out.push_back(Output::Leg(LegRole::Caller, LegCommand::Show(Box::new(shown))));
    }
}

/// The first words of a text.
fn first_words(text: &str, count: usize) -> String {
    text.split_whitespace().take(count).collect::<Vec<_>>().join(" ")
}
