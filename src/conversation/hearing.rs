//! What the caller's words lead to.

use std::sync::Arc;

use cordboard_models::speech::{Ranked, SlotKind};

use super::correction::{self, Corrected};
use super::flow::Confirmation;
use super::machine::{Conversation, Meant, Question, Ranking, State, Topic, after};
use super::memory::Filled;
use super::phrases::{self, Global};
use super::understand;
use super::values::{SlotValue, yes_no};
use super::{Move, Output, RankRequest};
use crate::timeline::{RepairCause, Trigger, Verified, What};
use crate::turn::Utterance;

/// How long the language model may think; above it the caller would wait in silence.
const RANK_MS: u64 = 2_500;

/// What words mean where a question stands.
#[derive(Clone, Debug, PartialEq)]
enum Reading {
    Emergency,
    Global(Global),
    Intent(String, Vec<(String, SlotValue)>),
    Value(SlotValue),
    YesNo(bool),
    Unclear,
}

impl Conversation {
    /// The caller has said something.
    pub(super) fn spoken(&mut self, utterance: &Utterance) {
        if self.is_usable(utterance) {
            self.log.caller(&utterance.text);
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Listening(question) => self.answered(question, utterance),
            // New words overtake the old ones.
            State::Ranking(ranking) => self.answered(ranking.question, utterance),
            State::Calling(calling) => {
                self.state = State::Calling(calling);
                self.spoken_meanwhile(utterance);
            }
            State::Answering(answering) if self.is_usable(utterance) => {
                drop(answering);
                self.answered(Question::talk(), utterance);
            }
            // A noise stops no answer.
            other @ (State::Answering(_) | State::Fresh | State::Away | State::Over) => {
                self.state = other;
            }
        }
    }

    /// A tool runs; only what cannot wait is listened to.
    fn spoken_meanwhile(&mut self, utterance: &Utterance) {
        let words = understand::words(&utterance.text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let usable = self.is_usable(utterance);
        match usable.then(|| self.phrase_of(&words)).flatten() {
            Some(Reading::Emergency) => self.emergency(&utterance.text),
            Some(Reading::Global(Global::Agent)) => self.asked_for_agent(),
            Some(Reading::Global(Global::Goodbye)) => self.goodbye(),
            Some(Reading::Global(Global::Slower)) => {
                self.voice.slow_down();
                self.say_waiting();
            }
            _ => self.say_waiting(),
        }
    }

    fn answered(&mut self, question: Question, utterance: &Utterance) {
        let words = understand::words(&utterance.text);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let usable = self.is_usable(utterance);
        let open = self.takes_anything(&question.topic);
        let reading = if usable {
            self.reading(&question.topic, &words)
        } else {
            // A story that was recognized badly is better than none; a human will read it.
            let story = open && !words.is_empty();
            story.then(|| Reading::Value(SlotValue::Open(words.join(" "))))
        };
        if reading.is_none() && !question.keyed.is_empty() {
            // A noise, or a word to somebody else, while keys are being pressed.
            self.state = State::Listening(question);
            return;
        }
        if !words.is_empty() {
            self.repairs.silent = 0;
        }
        self.repairs.heard(utterance.confidence);
        let urgent = matches!(reading, Some(Reading::Emergency | Reading::Global(_)));
        let unsure = !open && utterance.confidence < self.flow.file.confidence.accept;
        if !urgent && unsure && self.repairs.is_low(self.flow.file.confidence.low) {
            let reason = "the recognition was unsure over three turns".to_owned();
            self.remember_words(utterance);
            self.escalate(Trigger::LowConfidence, reason, None);
            return;
        }
        match reading {
            Some(reading) => self.understood(question, reading, utterance),
            None if usable && matches!(question.topic, Topic::Menu | Topic::More) => {
                self.remember_words(utterance);
                self.rank(question, &utterance.text);
            }
            None => {
                if usable {
                    self.remember_words(utterance);
                }
                self.repair(question.topic, RepairCause::NoMatch);
            }
        }
    }

    fn is_usable(&self, utterance: &Utterance) -> bool {
        !utterance.rejected
            && !utterance.text.trim().is_empty()
            && utterance.confidence >= self.flow.file.confidence.confirm
    }

    fn takes_anything(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Slot(slot) => {
                self.flow.slots.get(slot).is_some_and(|slot| slot.kind == SlotKind::Open)
            }
            Topic::Message => true,
            Topic::Menu
            | Topic::More
            | Topic::Confirm(_)
            | Topic::Meant(_)
            | Topic::Talk
            | Topic::Consent => false,
        }
    }

    fn remember_words(&mut self, utterance: &Utterance) {
        if !utterance.text.is_empty() {
            self.memory.last_words.clone_from(&utterance.text);
        }
    }

    /// Intents, globals and emergencies among the words.
    fn phrase_of(&self, words: &[&str]) -> Option<Reading> {
        let globals: Vec<_> = phrases::globals().collect();
        let all = self.flow.phrases.iter().chain(&globals);
        let found = understand::phrase(words, all, self.local(), phrases::EMERGENCY)?;
        if found.tag == phrases::EMERGENCY {
            return Some(Reading::Emergency);
        }
        if let Some(global) = Global::of_tag(found.tag) {
            return Some(Reading::Global(global));
        }
        let intent = found.tag.strip_prefix(phrases::INTENT)?.to_owned();
        Some(Reading::Intent(intent, found.slots))
    }

    fn reading(&self, topic: &Topic, words: &[&str]) -> Option<Reading> {
        let phrase = self.phrase_of(words);
        if phrase == Some(Reading::Emergency) {
            return phrase;
        }
        let here = match topic {
            Topic::Menu => None,
            Topic::More | Topic::Meant(_) => yes_no::parse(words).map(Reading::YesNo),
            Topic::Talk => return self.talk_reading(words, phrase),
            Topic::Consent => yes_no::parse(words)
                .or_else(|| (words.first() == Some(&"no")).then_some(false))
                .map(Reading::YesNo),
            Topic::Slot(slot) => {
                let kind = &self.flow.slots.get(slot)?.kind;
                if *kind == SlotKind::Open {
                    return self.open_reading(words, phrase);
                }
                let value = understand::value(words, kind, self.local());
                // Among other words, digits that are enough.
                let found = || match kind {
                    SlotKind::Digits { min, max } if phrase.is_none() => {
                        let digits = super::values::digits::find(words)?;
                        let fits = (usize::from(*min)..=usize::from(*max)).contains(&digits.len());
                        fits.then_some(SlotValue::Digits(digits))
                    }
                    _ => None,
                };
                value.or_else(found).map(Reading::Value)
            }
            Topic::Confirm(slot) => self.confirmation(slot, words),
            Topic::Message => {
                let yes_no = yes_no::parse(words).map(Reading::YesNo);
                return yes_no.or_else(|| self.open_reading(words, phrase));
            }
        };
        here.or(phrase)
    }

    /// Words to the language model, unless they are exactly a command or another intent's phrase.
    fn talk_reading(&self, words: &[&str], phrase: Option<Reading>) -> Option<Reading> {
        let running = self.task.as_ref().map(|task| task.intent.as_str());
        let another =
            matches!(&phrase, Some(Reading::Intent(it, _)) if Some(it.as_str()) != running);
        let all = self.flow.phrases.iter();
        let whole =
            || understand::phrase(words, all, self.local(), "").is_some_and(|found| found.whole);
        if another && whole() { phrase } else { self.open_reading(words, phrase) }
    }

    /// Open words are the value, unless they are exactly a command.
    fn open_reading(&self, words: &[&str], phrase: Option<Reading>) -> Option<Reading> {
        let globals: Vec<_> = phrases::globals().collect();
        let whole =
            understand::phrase(words, &globals, self.local(), "").is_some_and(|found| found.whole);
        match phrase {
            Some(Reading::Global(_)) if whole => phrase,
            _ => Some(Reading::Value(SlotValue::Open(words.join(" ")))),
        }
    }

    /// Yes, no, or what is right instead.
    fn confirmation(&self, slot: &str, words: &[&str]) -> Option<Reading> {
        if let Some(yes) = yes_no::parse(words) {
            return Some(Reading::YesNo(yes));
        }
        let kind = &self.flow.slots.get(slot)?.kind;
        if let Some(SlotValue::Digits(digits)) =
            self.memory.slots.get(slot).map(|filled| &filled.value)
        {
            match correction::read(words, digits) {
                Some(Corrected::Value(digits)) => {
                    return Some(Reading::Value(SlotValue::Digits(digits)));
                }
                Some(Corrected::Unclear) => return Some(Reading::Unclear),
                None => {}
            }
        }
        if matches!(kind, SlotKind::Open | SlotKind::YesNo) {
            return None;
        }
        let value = understand::value(words, kind, self.local());
        value.map(Reading::Value).or_else(|| {
            // "no it isn't that", with nothing that could be used.
            (words.first() == Some(&"no")).then_some(Reading::YesNo(false))
        })
    }

    fn understood(&mut self, question: Question, reading: Reading, utterance: &Utterance) {
        match reading {
            Reading::Emergency => self.emergency(&utterance.text),
            Reading::Global(global) => self.global(question, global, utterance),
            Reading::Intent(intent, slots) => {
                let meant = Meant {
                    intent,
                    slots,
                    confidence: utterance.confidence,
                    heard: utterance.confidence,
                    said: utterance.text.clone(),
                };
                self.meant(question, meant);
            }
            Reading::Value(value) => self.valued(question, value, utterance),
            Reading::YesNo(true)
                if matches!(question.topic, Topic::Consent)
                    && utterance.confidence < self.flow.file.confidence.accept =>
            {
                // Nothing is done on a yes that was perhaps none.
                self.repair(question.topic, RepairCause::NoMatch);
            }
            Reading::YesNo(yes) => self.confirmed(question, yes),
            Reading::Unclear => self.denied(question.topic),
        }
    }

    fn global(&mut self, question: Question, global: Global, utterance: &Utterance) {
        match global {
            Global::Repeat => {
                self.repeat_answers();
                self.ask_again(question);
            }
            Global::Slower => {
                self.voice.slow_down();
                let text = self.flow.file.prompts.slower.clone();
                self.say(&text);
                self.repeat_answers();
                self.ask_again(question);
            }
            Global::Help => {
                let slot = match &question.topic {
                    Topic::Slot(slot) | Topic::Confirm(slot) => self.flow.slots.get(slot),
                    Topic::Menu
                    | Topic::More
                    | Topic::Meant(_)
                    | Topic::Talk
                    | Topic::Consent
                    | Topic::Message => None,
                };
                let text = slot.map(|slot| slot.text.help.clone()).filter(|text| !text.is_empty());
                let text = text.unwrap_or_else(|| self.flow.file.menu.help.clone());
                self.say(&text);
                self.ask_again(question);
            }
            Global::Agent => {
                if self.memory.last_words.is_empty() {
                    self.memory.last_words.clone_from(&utterance.text);
                }
                self.asked_for_agent();
            }
            Global::Goodbye => self.goodbye(),
        }
    }

    /// An intent was named; where that is unsure, it is asked about.
    fn meant(&mut self, question: Question, meant: Meant) {
        let running = self.task.as_ref().is_some_and(|task| task.intent == meant.intent);
        if running && meant.slots.is_empty() {
            self.repair(question.topic, RepairCause::NoMatch);
            return;
        }
        let sure = meant.confidence >= self.flow.file.confidence.accept;
        if !sure {
            let text = self.flow.file.prompts.confirm_intent.clone();
            self.ask(Topic::Meant(meant), &text);
            return;
        }
        self.begin(meant);
    }

    /// Begins an intent; another one that was in hand is left.
    pub(super) fn begin(&mut self, meant: Meant) {
        let flow = Arc::clone(&self.flow);
        let Some(course) = flow.intents.get(&meant.intent) else {
            self.ask(Topic::Menu, &flow.file.menu.ask);
            return;
        };
        self.repairs.succeeded();
        self.voice.forget_answers();
        self.memory.begin(&course.title);
        self.memory.intent = Some(meant.intent.clone());
        self.memory.confidence = meant.confidence;
        if !meant.said.is_empty() {
            self.memory.stated_issue.clone_from(&meant.said);
        }
        self.outputs.push_back(Output::Note(What::Understood {
            intent: meant.intent.clone(),
            confidence: meant.confidence,
        }));
        let running = self.task.as_ref().is_some_and(|task| task.intent == meant.intent);
        if !running {
            self.forget_for(&meant.intent);
        }
        for (slot, value) in meant.slots {
            self.offer(&slot, value, meant.heard, Verified::Heard);
        }
        if !running {
            self.start(meant.intent);
        }
        self.run();
    }

    /// A value was said where one was asked for or read back.
    fn valued(&mut self, question: Question, value: SlotValue, utterance: &Utterance) {
        let slot = match question.topic {
            Topic::Slot(slot) | Topic::Confirm(slot) => slot,
            Topic::Message => {
                self.take_message(utterance);
                return;
            }
            Topic::Talk => {
                self.remember_words(utterance);
                self.next_turn();
                return;
            }
            topic @ (Topic::Menu | Topic::More | Topic::Meant(_) | Topic::Consent) => {
                self.repair(topic, RepairCause::NoMatch);
                return;
            }
        };
        let value = match value {
            // As it was said, fillers included.
            SlotValue::Open(_) => SlotValue::Open(utterance.text.trim().to_owned()),
            other => other,
        };
        self.fill(slot, value, utterance.confidence, Verified::Heard);
    }

    /// Takes a value for the slot in question and goes on.
    pub(super) fn fill(
        &mut self,
        slot: String,
        value: SlotValue,
        confidence: f32,
        verified: Verified,
    ) {
        self.voice.forget_answers();
        if self.offer(&slot, value, confidence, verified) {
            self.run();
            return;
        }
        let flow = Arc::clone(&self.flow);
        let own = flow.slots.get(&slot).map(|slot| &slot.text.invalid);
        let text = own.filter(|text| !text.is_empty()).unwrap_or(&flow.file.prompts.invalid);
        let extra = self.read_back(&slot);
        let text = self.filled(text, &extra);
        self.memory.slots.remove(&slot);
        self.repair_saying(Topic::Slot(slot), RepairCause::Invalid, &text);
    }

    /// Puts a value into a slot; false where it is not allowed there.
    fn offer(&mut self, name: &str, value: SlotValue, confidence: f32, verified: Verified) -> bool {
        let flow = Arc::clone(&self.flow);
        let Some(slot) = flow.slots.get(name) else { return false };
        let keyed = verified == Verified::Keyed;
        let unsure = confidence < flow.file.confidence.accept;
        let settled = keyed
            || match slot.text.confirmation {
                Confirmation::Usual => !unsure && !matches!(slot.kind, SlotKind::Digits { .. }),
                Confirmation::Always => false,
                Confirmation::Unsure => !unsure,
                Confirmation::Never => true,
            };
        let filled = Filled { value, confidence, verified, settled };
        self.memory.slots.insert(name.to_owned(), filled);
        let valid = slot.valid.as_ref().is_none_or(|condition| {
            let mut known = self.known();
            let extra = self.read_back(name);
            known.extend(extra.into_iter().map(|(name, value)| (name.to_owned(), value)));
            condition.holds(&known)
        });
        if valid && settled {
            self.settled(name);
        }
        valid
    }

    /// A slot's value may be used from now on.
    fn settled(&mut self, name: &str) {
        let Some(filled) = self.memory.slots.get_mut(name) else { return };
        filled.settled = true;
        let (value, verified) = (filled.value.text(), filled.verified);
        self.repairs.succeeded();
        if self.flow.slots.get(name).is_some_and(|slot| slot.text.states_issue) {
            self.memory.stated_issue.clone_from(&value);
        }
        let slot = name.to_owned();
        self.outputs.push_back(Output::Note(What::SlotFilled { slot, value, verified }));
    }

    /// Yes or no was said.
    pub(super) fn confirmed(&mut self, question: Question, yes: bool) {
        let prompts = &self.flow.file.prompts;
        match (question.topic, yes) {
            (Topic::Confirm(slot), true) => {
                if let Some(filled) = self.memory.slots.get_mut(&slot) {
                    filled.verified = Verified::Confirmed;
                }
                self.voice.forget_answers();
                self.settled(&slot);
                self.run();
            }
            (topic @ Topic::Confirm(_), false) => self.denied(topic),
            (Topic::Meant(meant), true) => {
                let confidence = self.flow.file.confidence.accept.max(meant.confidence);
                self.begin(Meant { confidence, ..meant });
            }
            (topic @ Topic::Meant(_), false) => self.denied(topic),
            (Topic::More, true) => {
                let text = prompts.go_ahead.clone();
                self.repairs.succeeded();
                self.voice.forget_answers();
                self.ask(Topic::Menu, &text);
            }
            (Topic::More, false) => self.goodbye(),
            (Topic::Slot(slot), yes) => {
                self.fill(slot, SlotValue::YesNo(yes), 1.0, Verified::Keyed);
            }
            (Topic::Message, true) => {
                let text = prompts.go_ahead.clone();
                self.ask(Topic::Message, &text);
            }
            (Topic::Message, false) => self.goodbye(),
            (Topic::Consent, yes) => self.consented(yes),
            (topic @ (Topic::Menu | Topic::Talk), _) => self.repair(topic, RepairCause::NoMatch),
        }
    }

    /// Asks the language model what the words mean.
    fn rank(&mut self, question: Question, said: &str) {
        self.ranked += 1;
        let intents = Arc::clone(&self.flow.rankable);
        let request = RankRequest { id: self.ranked, said: said.to_owned(), intents };
        self.outputs.push_back(Output::Move(Move::Rank(request)));
        self.state = State::Ranking(Ranking {
            request: self.ranked,
            said: said.to_owned(),
            question,
            deadline: after(self.now, RANK_MS),
        });
    }

    /// The language model has answered.
    pub(super) fn was_ranked(&mut self, request: u32, ranked: &[Ranked]) {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Ranking(ranking) if ranking.request == request => {
                let limits = self.flow.file.confidence;
                let best = ranked.iter().find(|best| best.probability >= limits.confirm);
                let known = best.filter(|best| self.flow.intents.contains_key(best.name.as_ref()));
                match known {
                    Some(best) => {
                        let meant = Meant {
                            intent: best.name.to_string(),
                            slots: Vec::new(),
                            confidence: best.probability,
                            heard: best.probability,
                            said: ranking.said,
                        };
                        self.meant(ranking.question, meant);
                    }
                    None => self.not_ranked(ranking.question),
                }
            }
            // The caller has spoken since; this answer is about older words.
            other => self.state = other,
        }
    }

    pub(super) fn not_ranked(&mut self, question: Question) {
        self.repair(question.topic, RepairCause::NoMatch);
    }
}
