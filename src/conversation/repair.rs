//! When it does not go well: silences, misunderstandings, escalation, messages, the end.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_models::speech::SlotKind;

use super::machine::{Conversation, State, Topic};
use super::{ConversationError, Interruptible, Move, Output, PromptId};
use crate::timeline::{Debtor, RepairCause, Trigger, What};
use crate::turn::Utterance;

/// Failed repairs in a row that bring a human.
const MAX_FAILED: u32 = 3;
/// How often a silent caller is asked again.
const MAX_SILENT: u32 = 2;
/// Turns over which the mean of the confidence is taken.
const TURNS: usize = 3;
/// How often a message is asked for; who does not leave one then has none.
const MAX_MESSAGES_ASKED: u32 = 2;
/// Lines in a row that no voice could speak, after which a human is brought.
const MAX_UNSPOKEN: u32 = 3;
/// Longest message that is read back, in words; a longer one only delays the goodbye.
const READ_BACK_WORDS: usize = 15;

/// What went wrong of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Repairs {
    /// Failed repairs in a row.
    failed: u32,
    /// Silences in a row.
    pub(super) silent: u32,
    /// Lines in a row that no voice could speak.
    pub(super) unspoken: u32,
    confidences: VecDeque<f32>,
}

impl Repairs {
    pub(super) fn succeeded(&mut self) {
        self.failed = 0;
        self.silent = 0;
    }

    pub(super) fn heard(&mut self, confidence: f32) {
        self.confidences.push_back(confidence);
        if self.confidences.len() > TURNS {
            self.confidences.pop_front();
        }
    }

    /// Whether the mean over the last turns is low; three failed repairs have a name of their own.
    pub(super) fn is_low(&self, low: f32) -> bool {
        let mean = self.confidences.iter().sum::<f32>() / TURNS as f32;
        self.confidences.len() == TURNS && mean < low && self.failed + 1 < MAX_FAILED
    }
}

impl Conversation {
    /// Somebody owed a sound for long.
    pub(super) fn silent(&mut self, owed_by: Debtor, _lasting: Duration) {
        match &self.state {
            State::Ranking(_) | State::Calling(_) => self.say_waiting(),
            State::Answering(_) => self.fill_in(),
            State::Listening(question) if question.keyed.is_empty() => {
                // What is queued will be heard; a second voice on top of it helps nobody.
                if owed_by == Debtor::Assistant && !self.voice.is_idle() {
                    return;
                }
                if question.unheard {
                    // Nobody was asked anything.
                    let question = question.clone();
                    self.ask_again(question);
                    return;
                }
                let topic = question.topic.clone();
                self.repair(topic, RepairCause::NoInput);
            }
            // Keys end by their own deadline.
            State::Listening(_) | State::Fresh | State::Away | State::Over => {}
        }
    }

    /// No voice could speak a prompt. A question is asked again when the silence is noticed; where
    /// one line after the other stays unspoken, a human takes over.
    pub(super) fn unspoken(&mut self, prompt: PromptId) {
        self.repairs.unspoken += 1;
        match &mut self.state {
            State::Listening(question) => question.unheard |= question.prompt == Some(prompt),
            State::Ranking(_) | State::Calling(_) | State::Answering(_) => {}
            State::Fresh | State::Away | State::Over => return,
        }
        if self.repairs.unspoken >= MAX_UNSPOKEN {
            self.escalate(Trigger::Rule, "no voice could be had".to_owned(), None);
        }
    }

    /// The caller says that a value or an intent is wrong.
    pub(super) fn denied(&mut self, topic: Topic) {
        let topic = match topic {
            Topic::Confirm(slot) => {
                self.memory.slots.remove(&slot);
                Topic::Slot(slot)
            }
            Topic::Meant(_) => Topic::Menu,
            other @ (Topic::Menu
            | Topic::More
            | Topic::Slot(_)
            | Topic::Talk
            | Topic::Consent
            | Topic::Message) => other,
        };
        self.repair(topic, RepairCause::Denied);
    }

    /// Asks again, in other words, for a usual reason.
    pub(super) fn repair(&mut self, topic: Topic, cause: RepairCause) {
        let prompts = &self.flow.file.prompts;
        let nth = |count: u32, texts: &[String]| texts[count as usize % texts.len().max(1)].clone();
        let text = match cause {
            RepairCause::NoInput => nth(self.repairs.silent, &prompts.silence),
            RepairCause::NoMatch => nth(self.repairs.failed, &prompts.not_understood),
            RepairCause::Invalid => prompts.invalid.clone(),
            RepairCause::Denied => prompts.denied.clone(),
        };
        let text = self.filled(&text, &[]);
        self.repair_saying(topic, cause, &text);
    }

    /// Asks again, in other words; gives up where that has not helped.
    pub(super) fn repair_saying(&mut self, topic: Topic, cause: RepairCause, first: &str) {
        let count = if cause == RepairCause::NoInput {
            self.repairs.silent += 1;
            self.repairs.silent
        } else {
            self.repairs.failed += 1;
            self.repairs.failed
        };
        self.outputs.push_back(Output::Note(What::Repaired { cause, count }));
        if cause == RepairCause::NoInput && count > MAX_SILENT {
            let text = self.flow.file.prompts.silent_goodbye.clone();
            self.end_saying(&text);
            return;
        }
        if cause != RepairCause::NoInput && count >= MAX_FAILED {
            let reason = "three repairs in a row did not help".to_owned();
            self.escalate(Trigger::Repairs, reason, None);
            return;
        }
        self.say_text(first, Interruptible::Yes);
        self.ask_otherwise(topic, (self.repairs.failed + self.repairs.silent).max(1) - 1);
    }

    /// Asks in the `nth` other wording; the keypad is offered for digits.
    fn ask_otherwise(&mut self, topic: Topic, nth: u32) {
        let flow = Arc::clone(&self.flow);
        let prompts = &flow.file.prompts;
        let other = |texts: &[String], usual: &str| {
            let at = nth as usize % texts.len().max(1);
            texts.get(at).map_or_else(|| usual.to_owned(), Clone::clone)
        };
        let text = match &topic {
            Topic::Menu => other(&flow.file.menu.reprompts, &flow.file.menu.ask),
            Topic::More => prompts.anything_else.clone(),
            Topic::Slot(slot) => {
                let Some(slot) = flow.slots.get(slot) else { return };
                if matches!(slot.kind, SlotKind::Digits { .. }) {
                    self.say(&prompts.keypad);
                }
                other(&slot.text.reprompts, &slot.text.ask)
            }
            Topic::Confirm(slot) => {
                self.say(&prompts.yes_or_no);
                self.confirm_wording(slot)
            }
            Topic::Meant(_) => {
                self.say(&prompts.yes_or_no);
                prompts.confirm_intent.clone()
            }
            Topic::Talk => prompts.anything_else.clone(),
            Topic::Consent => {
                self.say(&prompts.yes_or_no);
                let question = self.talk.as_ref().map(|talk| Arc::clone(&talk.consent));
                self.ask_text(topic, question.unwrap_or_default());
                return;
            }
            Topic::Message => prompts.message_ask.clone(),
        };
        self.ask(topic, &text);
    }

    /// The wording that reads a slot's value back.
    pub(super) fn confirm_wording(&self, slot: &str) -> String {
        let own = self.flow.slots.get(slot).map(|slot| &slot.text.confirm);
        let own = own.filter(|text| !text.is_empty());
        own.unwrap_or(&self.flow.file.prompts.confirm).clone()
    }

    pub(super) fn asked_for_agent(&mut self) {
        self.escalate(Trigger::Asked, "the caller asked for a person".to_owned(), None);
    }

    pub(super) fn emergency(&mut self, said: &str) {
        self.memory.stated_issue = said.to_owned();
        let queue = self.flow.file.emergency.queue.clone();
        let queue = Some(queue).filter(|queue| !queue.is_empty());
        let reason = format!("words that signal an emergency: \"{said}\"");
        self.escalate(Trigger::Emergency, reason, queue);
    }

    /// Hands over to a human, or takes a message where none is to be had.
    pub(super) fn escalate(&mut self, trigger: Trigger, reason: String, queue: Option<String>) {
        let flow = Arc::clone(&self.flow);
        self.repairs = Repairs::default();
        if trigger == Trigger::Emergency {
            let text = self.filled(&flow.file.emergency.say, &[]);
            self.say_text(&text, Interruptible::No);
        } else if self.nobody_came {
            self.ask_for_message(&flow.file.prompts.nobody_came);
            return;
        } else if !flow.open_at(self.local()) {
            self.ask_for_message(&flow.file.hours.closed);
            return;
        } else {
            let text = self.filled(&flow.file.prompts.transfer, &[]);
            // A cough must not cut it; a person is coming either way.
            self.say_text(&text, Interruptible::No);
        }
        let queue = queue.or_else(|| flow.file.queues.first().cloned()).unwrap_or_default();
        self.outputs.push_back(Output::Move(Move::Escalate { trigger, reason, queue }));
        self.state = State::Away;
    }

    /// No human took the call.
    pub(super) fn nobody_came(&mut self) {
        self.nobody_came = true;
        self.repairs = Repairs::default();
        let flow = Arc::clone(&self.flow);
        self.ask_for_message(&flow.file.prompts.nobody_came);
    }

    /// The caller has spoken with a human: only what is left is asked.
    pub(super) fn agent_left(&mut self) {
        self.repairs = Repairs::default();
        self.task = None;
        self.voice.forget_answers();
        let text = self.flow.file.prompts.anything_else.clone();
        self.ask(Topic::More, &text);
    }

    fn ask_for_message(&mut self, first: &str) {
        self.messages_asked += 1;
        if self.messages_asked > MAX_MESSAGES_ASKED || self.memory.message_taken {
            self.goodbye();
            return;
        }
        self.task = None;
        self.voice.forget_answers();
        self.answer(first);
        let text = self.flow.file.prompts.message_ask.clone();
        self.ask(Topic::Message, &text);
    }

    pub(super) fn take_message(&mut self, utterance: &Utterance) {
        let text = utterance.text.trim().to_owned();
        self.memory.message_taken = true;
        self.outputs.push_back(Output::Note(What::MessageTaken { text: text.clone() }));
        let prompts = self.flow.file.prompts.clone();
        // What was hardly understood is better heard by a colleague than read out wrong.
        let sure = utterance.confidence >= self.flow.file.confidence.accept;
        if sure && text.split_whitespace().count() <= READ_BACK_WORDS {
            let said = self.filled(&prompts.message_read, &[("message", text.into())]);
            self.say_text(&said, Interruptible::Yes);
        }
        self.say(&prompts.message_thanks);
        self.goodbye();
    }

    pub(super) fn goodbye(&mut self) {
        let text = self.flow.file.prompts.goodbye.clone();
        self.end_saying(&text);
    }

    fn end_saying(&mut self, text: &str) {
        let text = self.filled(text, &[]);
        self.say_text(&text, Interruptible::No);
        self.outputs.push_back(Output::Move(Move::Hangup));
        self.state = State::Over;
    }

    /// Brings a human where the flow itself failed; the fallback has been said.
    pub(super) fn own_up(&mut self) {
        let Some(fault) = self.faulty.take() else { return };
        if matches!(self.state, State::Away | State::Over) {
            return;
        }
        let what = match fault {
            ConversationError::FlowFaulty { what, why } => format!("{what}: {why}"),
            ConversationError::ApiMisuse { what } => what.to_owned(),
        };
        self.escalate(Trigger::Rule, format!("the flow could not go on: {what}"), None);
        // A wording of the escalation itself that cannot be filled changes nothing any more.
        self.faulty = None;
    }
}
