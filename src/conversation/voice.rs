//! The assistant's voice: prompts, their numbers, wordings that vary, and what was heard of them.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use cordboard_models::speech::{Expectation, Phrase, SlotKind};
use serde_json::{Map, Value};

use super::machine::{Conversation, Question, State, Topic};
use super::phrases;
use super::{Heard, Interruptible, Move, Output, Prompt, PromptId};

/// How much longer slow speech is.
const SLOW: f32 = 1.3;
/// How many prompts are remembered.
const REMEMBERED: usize = 50;

/// Numbers, pace and memory of what is said.
#[derive(Clone, Debug)]
pub(super) struct Voice {
    last: u32,
    stretch: f32,
    /// Answers since the caller last spoke, for "repeat".
    answers: Vec<Arc<str>>,
    /// Prompts that have not ended.
    queued: BTreeSet<PromptId>,
    filler: Option<PromptId>,
    fillers_said: usize,
    seed: u64,
    history: VecDeque<(PromptId, String)>,
}

impl Voice {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            last: 0,
            stretch: 1.0,
            answers: Vec::new(),
            queued: BTreeSet::new(),
            filler: None,
            fillers_said: 0,
            seed,
            history: VecDeque::new(),
        }
    }

    pub(super) fn slow_down(&mut self) {
        self.stretch = SLOW;
    }

    /// Length of speech against normal.
    pub(super) const fn stretch(&self) -> f32 {
        self.stretch
    }

    /// What "repeat" repeats from now on, after what it did before.
    pub(super) fn add_answer(&mut self, text: &str) {
        self.answers.push(Arc::from(text));
    }

    pub(super) fn forget_answers(&mut self) {
        self.answers.clear();
    }

    pub(super) fn is_idle(&self) -> bool {
        self.queued.is_empty()
    }

    pub(super) fn ended(&mut self, prompt: PromptId, heard: Heard) {
        self.queued.remove(&prompt);
        if self.filler == Some(prompt) {
            self.filler = None;
        }
        if let Some((_, text)) = self.history.iter_mut().find(|(id, _)| *id == prompt) {
            *text = heard.text;
        }
    }

    pub(super) fn heard(&self) -> impl Iterator<Item = (PromptId, &str)> {
        let ended = self.history.iter().filter(|(id, _)| !self.queued.contains(id));
        ended.map(|(id, text)| (*id, text.as_str()))
    }

    fn prompt(&mut self, text: Arc<str>, interruptible: Interruptible) -> Prompt {
        self.last += 1;
        let id = PromptId(self.last);
        self.queued.insert(id);
        self.history.push_back((id, String::new()));
        if self.history.len() > REMEMBERED
            && let Some((oldest, _)) = self.history.pop_front()
        {
            self.queued.remove(&oldest);
        }
        Prompt { id, text, interruptible, stretch: self.stretch }
    }
}

impl Conversation {
    /// Says the opening and asks the open question.
    pub(super) fn greet(&mut self) {
        let flow = Arc::clone(&self.flow);
        if !flow.file.disclosure.is_empty() {
            let text = self.filled(&flow.file.disclosure, &[]);
            self.say_text(&text, Interruptible::No);
        }
        self.answer(&flow.file.greeting);
        self.ask(Topic::Menu, &flow.file.menu.ask);
    }

    /// Says a prompt that "repeat" repeats.
    pub(super) fn answer(&mut self, template: &str) {
        self.answer_until(template, Interruptible::Yes);
    }

    /// The same, stopped by that alone.
    pub(super) fn answer_until(&mut self, template: &str, interruptible: Interruptible) {
        let text = self.filled(template, &[]);
        if !text.is_empty() {
            self.voice.add_answer(&text);
            self.say_text(&text, interruptible);
        }
    }

    /// Says a prompt in passing.
    pub(super) fn say(&mut self, template: &str) {
        let text = self.filled(template, &[]);
        self.say_text(&text, Interruptible::Yes);
    }

    pub(super) fn say_text(&mut self, text: &str, interruptible: Interruptible) {
        if text.trim().is_empty() {
            return;
        }
        let prompt = self.voice.prompt(Arc::from(text), interruptible);
        self.log.assistant(prompt.id, text);
        self.outputs.push_back(Output::Move(Move::Say(prompt)));
    }

    /// Says that it takes a while, unless that is already about to be said.
    pub(super) fn say_waiting(&mut self) {
        let flow = Arc::clone(&self.flow);
        self.say_filler(&flow.file.prompts.waiting);
    }

    /// Says that an answer is being thought of.
    pub(super) fn say_thinking(&mut self) {
        let flow = Arc::clone(&self.flow);
        self.say_filler(&flow.file.prompts.thinking);
    }

    fn say_filler(&mut self, wordings: &[String]) {
        if self.voice.filler.is_some() {
            return;
        }
        let first = usize::try_from(self.voice.seed % wordings.len() as u64).unwrap_or(0);
        let text = wordings[(first + self.voice.fillers_said) % wordings.len()].clone();
        self.voice.fillers_said += 1;
        let text = self.filled(&text, &[]);
        let prompt = self.voice.prompt(Arc::from(text), Interruptible::Yes);
        self.voice.filler = Some(prompt.id);
        self.outputs.push_back(Output::Move(Move::Say(prompt)));
    }

    /// Says the answers again.
    pub(super) fn repeat_answers(&mut self) {
        for text in self.voice.answers.clone() {
            self.say_text(&text, Interruptible::Yes);
        }
    }

    /// Asks a question in the wording of `template`.
    pub(super) fn ask(&mut self, topic: Topic, template: &str) {
        let text = match &topic {
            Topic::Confirm(slot) => {
                let extra = self.read_back(slot);
                self.filled(template, &extra)
            }
            Topic::Meant(meant) => {
                let title = self.flow.intents.get(&meant.intent).map(|course| &course.title);
                let title = title.cloned().unwrap_or_default();
                self.filled(template, &[("title", Value::String(title))])
            }
            Topic::Menu
            | Topic::More
            | Topic::Slot(_)
            | Topic::Talk
            | Topic::Consent
            | Topic::Message => self.filled(template, &[]),
        };
        self.ask_text(topic, Arc::from(text));
    }

    /// Asks a question whose wording is ready; where it has none, just listens.
    pub(super) fn ask_text(&mut self, topic: Topic, text: Arc<str>) {
        let expectation = Arc::new(self.expectation(&topic));
        let (wanted, asked) = if text.is_empty() {
            (Move::Listen(expectation), None)
        } else {
            let prompt = self.voice.prompt(Arc::clone(&text), Interruptible::Yes);
            let id = prompt.id;
            self.log.assistant(id, &text);
            (Move::Ask(prompt, expectation), Some(id))
        };
        self.outputs.push_back(Output::Move(wanted));
        let (keyed, keys_end) = (String::new(), None);
        let question = Question { topic, text, keyed, keys_end, prompt: asked, unheard: false };
        self.state = State::Listening(question);
    }

    /// Asks a question again as it was.
    pub(super) fn ask_again(&mut self, question: Question) {
        self.ask_text(question.topic, question.text);
    }

    /// Fills a template; where that fails, the fallback is said and the fault kept.
    pub(super) fn filled(&mut self, template: &str, extra: &[(&str, Value)]) -> String {
        let mut known = self.known();
        known.extend(extra.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.flow.filled(template, &known).unwrap_or_else(|fault| {
            self.faulty = Some(fault);
            self.flow.file.prompts.fallback.clone()
        })
    }

    /// All that templates and conditions can read.
    pub(super) fn known(&self) -> Map<String, Value> {
        let local = self.local();
        let time = local.time();
        let mut known: Map<String, Value> = self
            .flow
            .variables()
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect();
        known.insert("caller".to_owned(), self.caller.clone().into());
        known.insert("open".to_owned(), self.flow.open_at(local).into());
        known.insert("today".to_owned(), local.date().to_string().into());
        let now = format!("{:02}:{:02}", time.hour(), time.minute());
        known.insert("now".to_owned(), now.into());
        known.extend(self.memory.known());
        known
    }

    /// A slot's value as its prompts read it.
    pub(super) fn read_back(&self, slot: &str) -> Vec<(&'static str, Value)> {
        self.memory.slots.get(slot).map_or_else(Vec::new, |filled| {
            vec![("value", filled.value.json()), ("spoken", filled.value.spoken().into())]
        })
    }

    fn expectation(&self, topic: &Topic) -> Expectation {
        let flow = &self.flow;
        let everything =
            || -> Vec<Phrase> { flow.phrases.iter().cloned().chain(phrases::globals()).collect() };
        match topic {
            Topic::Menu => {
                Expectation { kinds: vec![], phrases: everything(), open: flow.file.menu.open }
            }
            Topic::More => Expectation {
                kinds: vec![SlotKind::YesNo],
                phrases: everything(),
                open: flow.file.menu.open,
            },
            Topic::Slot(slot) => {
                let kind = flow.slots.get(slot).map_or(SlotKind::Open, |slot| slot.kind.clone());
                let open = kind == SlotKind::Open;
                Expectation { kinds: vec![kind], phrases: everything(), open }
            }
            Topic::Confirm(slot) => {
                let kind = flow.slots.get(slot).map_or(SlotKind::Open, |slot| slot.kind.clone());
                let length = self.memory.slots.get(slot).map_or(0, |filled| match &filled.value {
                    super::values::SlotValue::Digits(digits) => digits.len(),
                    _ => 0,
                });
                let mut phrases = everything();
                if kind != SlotKind::Open && kind != SlotKind::YesNo {
                    phrases.extend(phrases::corrections(slot, &kind, length));
                }
                Expectation { kinds: vec![SlotKind::YesNo], phrases, open: false }
            }
            Topic::Talk => {
                Expectation { kinds: vec![SlotKind::Open], phrases: everything(), open: true }
            }
            Topic::Meant(_) | Topic::Consent => {
                Expectation { kinds: vec![SlotKind::YesNo], phrases: everything(), open: false }
            }
            Topic::Message => Expectation {
                kinds: vec![SlotKind::Open],
                phrases: phrases::globals().collect(),
                open: true,
            },
        }
    }
}
