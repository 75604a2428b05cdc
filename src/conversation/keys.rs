//! Keys: digits where digits are asked for, 1 and 2 for yes and no, 0 for a person.

use cordboard_models::speech::SlotKind;

use super::machine::{Conversation, Question, State, Topic, after};
use super::values::SlotValue;
use crate::timeline::{RepairCause, Verified};

/// Pause after which the keys are taken for all: telephone menus commonly wait 3 s, but an answer
/// must have begun by then.
const PAUSE_MS: u64 = 2_500;
/// More keys than any slot takes.
const MAX_KEYS: usize = 32;

impl Conversation {
    /// A key was pressed.
    pub(super) fn keyed(&mut self, digit: char) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Listening(question) => self.keyed_for(question, digit),
            State::Ranking(ranking) => self.keyed_for(ranking.question, digit),
            State::Calling(calling) => {
                self.state = State::Calling(calling);
                if digit == '0' {
                    self.asked_for_agent();
                }
            }
            // What was said so far is not wanted any more: the caller keys instead.
            State::Answering(_) => {
                self.keyed_for(Question::talk(), digit);
            }
            other @ (State::Fresh | State::Away | State::Over) => self.state = other,
        }
    }

    fn keyed_for(&mut self, mut question: Question, digit: char) {
        self.repairs.silent = 0;
        match digit {
            '#' => {
                self.keys_done(question);
                return;
            }
            '*' => question.keyed.clear(),
            '0'..='9' if question.keyed.len() < MAX_KEYS => question.keyed.push(digit),
            _ => {}
        }
        let full = match (self.digits_wanted(&question.topic), question.keyed.as_str()) {
            (Some((_, max)), keyed) => keyed.len() >= max,
            (None, "0") => true,
            (None, "1" | "2") => self.wants_yes_or_no(&question.topic),
            (None, _) => false,
        };
        if full {
            self.keys_done(question);
            return;
        }
        question.keys_end = Some(after(self.now, PAUSE_MS));
        self.state = State::Listening(question);
    }

    /// All keys are in.
    pub(super) fn keys_done(&mut self, mut question: Question) {
        let keyed = std::mem::take(&mut question.keyed);
        question.keys_end = None;
        if keyed.is_empty() && question.text.is_empty() {
            // Into an answer of the model, which is called off: who did not wait for it is asked
            // what else there is, or nobody would say anything.
            let text = self.flow.file.prompts.anything_else.clone();
            self.ask(question.topic, &text);
            return;
        }
        if keyed.is_empty() {
            self.ask_again(question);
            return;
        }
        if let Some((min, max)) = self.digits_wanted(&question.topic)
            && (min..=max).contains(&keyed.len())
            && let Topic::Slot(slot) | Topic::Confirm(slot) = question.topic
        {
            self.fill(slot, SlotValue::Digits(keyed), 1.0, Verified::Keyed);
            return;
        }
        match keyed.as_str() {
            "1" if self.wants_yes_or_no(&question.topic) => self.confirmed(question, true),
            "2" if self.wants_yes_or_no(&question.topic) => self.confirmed(question, false),
            "0" => self.asked_for_agent(),
            _ => match (self.number_wanted(&question.topic), keyed.parse::<u32>()) {
                (Some(slot), Ok(number)) => {
                    self.fill(slot, SlotValue::Number(number), 1.0, Verified::Keyed);
                }
                _ => self.repair(question.topic, RepairCause::NoMatch),
            },
        }
    }

    fn kind_of(&self, topic: &Topic) -> Option<&SlotKind> {
        match topic {
            Topic::Slot(slot) | Topic::Confirm(slot) => {
                self.flow.slots.get(slot).map(|slot| &slot.kind)
            }
            Topic::Menu
            | Topic::More
            | Topic::Meant(_)
            | Topic::Talk
            | Topic::Consent
            | Topic::Message => None,
        }
    }

    fn digits_wanted(&self, topic: &Topic) -> Option<(usize, usize)> {
        match self.kind_of(topic)? {
            SlotKind::Digits { min, max } => Some((usize::from(*min), usize::from(*max))),
            _ => None,
        }
    }

    fn number_wanted(&self, topic: &Topic) -> Option<String> {
        match topic {
            Topic::Slot(slot) if self.kind_of(topic) == Some(&SlotKind::Number) => {
                Some(slot.clone())
            }
            _ => None,
        }
    }

    fn wants_yes_or_no(&self, topic: &Topic) -> bool {
        match topic {
            Topic::More | Topic::Meant(_) | Topic::Confirm(_) | Topic::Consent => true,
            Topic::Slot(_) => self.kind_of(topic) == Some(&SlotKind::YesNo),
            Topic::Menu | Topic::Talk | Topic::Message => false,
        }
    }
}
