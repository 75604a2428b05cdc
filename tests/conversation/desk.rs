//! A caller at a table: puts inputs into a conversation and keeps what comes out.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use cordboard::conversation::{
    AnswerOrder, Conversation, Flow, Heard, Input, Invocation, Move, Output, Prompt, PromptId,
    ToolOutcome,
};
use cordboard::timeline::{Debtor, ToolVerdict, Trigger, What};
use cordboard::turn::{TurnEvent, Utterance};
use cordboard_audio::MediaTime;
use cordboard_models::speech::Expectation;
use jiff::civil::{DateTime, date};
use serde_json::{Value, json};

/// A Saturday at noon.
pub(crate) const NOON: DateTime = date(2026, 11, 21).at(12, 0, 0, 0);

/// The example flow.
pub(crate) fn parcel() -> Arc<Flow> {
    static FLOW: LazyLock<Arc<Flow>> = LazyLock::new(|| {
        let text = include_str!("../../flows/parcel.yaml");
        Arc::new(
            Flow::parse(text, "flows/parcel.yaml", &BTreeMap::new()).expect("the example is good"),
        )
    });
    Arc::clone(&FLOW)
}

/// A conversation, and what came of the last input.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) conversation: Conversation,
    pub(crate) now: MediaTime,
    pub(crate) prompts: Vec<Prompt>,
    pub(crate) asked: Option<Arc<Expectation>>,
    pub(crate) invoked: Vec<Invocation>,
    pub(crate) ranked: Vec<u32>,
    /// What the language model was asked, and which of it is not wanted any more.
    pub(crate) ordered: Vec<AnswerOrder>,
    pub(crate) dropped: Vec<u32>,
    pub(crate) escalated: Option<(Trigger, String, String)>,
    pub(crate) hung_up: bool,
    pub(crate) notes: Vec<What>,
    pub(crate) deadline: Option<MediaTime>,
}

impl Table {
    /// A call to the example flow that has been greeted.
    pub(crate) fn greeted() -> Self {
        Self::with(parcel(), NOON)
    }

    pub(crate) fn with(flow: Arc<Flow>, local: DateTime) -> Self {
        let mut table = Self {
            conversation: Conversation::new(flow, "01CALL", "sip:caller@example.org", 7),
            now: MediaTime::from_millis(100),
            prompts: vec![],
            asked: None,
            invoked: vec![],
            ranked: vec![],
            ordered: vec![],
            dropped: vec![],
            escalated: None,
            hung_up: false,
            notes: vec![],
            deadline: None,
        };
        table.put(Input::Began { local });
        table
    }

    /// Puts an input in, a second later; what was said before counts as heard.
    pub(crate) fn put(&mut self, input: Input) -> String {
        self.now = self.now + Duration::from_secs(1);
        for prompt in std::mem::take(&mut self.prompts) {
            self.hear(prompt.id, &prompt.text);
        }
        self.put_at_once(input)
    }

    /// Puts an input in while prompts still play.
    pub(crate) fn put_at_once(&mut self, input: Input) -> String {
        (self.ranked, self.notes) = (vec![], vec![]);
        self.prompts.clear();
        self.invoked.clear();
        self.ordered.clear();
        self.dropped.clear();
        self.conversation.handle_input(self.now, input).expect("begun");
        self.drain();
        self.said()
    }

    fn hear(&mut self, prompt: PromptId, text: &str) {
        let heard = Heard { text: text.to_owned(), unsaid: String::new() };
        self.conversation
            .handle_input(self.now, Input::PromptEnded { prompt, heard })
            .expect("begun");
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.conversation.poll_output() {
                Output::Move(Move::Say(prompt)) => self.prompts.push(prompt),
                Output::Move(Move::Ask(prompt, expectation)) => {
                    self.prompts.push(prompt);
                    self.asked = Some(expectation);
                }
                Output::Move(Move::Invoke(invocation)) => self.invoked.push(invocation),
                Output::Move(Move::Listen(expectation)) => self.asked = Some(expectation),
                Output::Move(Move::Answer(order)) => self.ordered.push(order),
                Output::Move(Move::DropAnswer(order)) => self.dropped.push(order),
                Output::Move(Move::Rank(request)) => self.ranked.push(request.id),
                Output::Move(Move::Escalate { trigger, reason, queue }) => {
                    self.escalated = Some((trigger, reason, queue));
                }
                Output::Move(Move::Hangup) => self.hung_up = true,
                Output::Note(note) => self.notes.push(note),
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    /// All that was said after the last input.
    pub(crate) fn said(&self) -> String {
        let texts: Vec<&str> = self.prompts.iter().map(|prompt| prompt.text.as_ref()).collect();
        texts.join(" ")
    }

    /// The caller says something, and is understood well.
    pub(crate) fn hears(&mut self, text: &str) -> String {
        self.hears_unsure(text, 0.9)
    }

    pub(crate) fn hears_unsure(&mut self, text: &str, confidence: f32) -> String {
        let utterance = self.utterance(text, confidence, false);
        self.put(Input::Turn(TurnEvent::CallerYielded(utterance)))
    }

    pub(crate) fn mumbles(&mut self) -> String {
        let utterance = self.utterance("order", 0.2, true);
        self.put(Input::Turn(TurnEvent::CallerYielded(utterance)))
    }

    pub(crate) fn utterance(&self, text: &str, confidence: f32, rejected: bool) -> Utterance {
        let (began, ended) = (self.now, self.now);
        Utterance { text: text.to_owned(), confidence, rejected, began, ended }
    }

    pub(crate) fn is_silent(&mut self, owed_by: Debtor) -> String {
        let lasting = Duration::from_secs(3);
        self.put(Input::Turn(TurnEvent::Silence { owed_by, lasting }))
    }

    pub(crate) fn keys(&mut self, digits: &str) -> String {
        digits.chars().map(|digit| self.put(Input::Keyed { digit })).last().unwrap_or_default()
    }

    /// The clock comes to the deadline.
    pub(crate) fn times_out(&mut self) -> String {
        self.now = self.deadline.expect("a deadline was given");
        self.put_at_once(Input::Timeout)
    }

    pub(crate) fn answers(
        &mut self,
        invocation: u32,
        verdict: ToolVerdict,
        result: Value,
    ) -> String {
        let outcome = ToolOutcome { verdict, result, took_ms: 20 };
        self.put(Input::ToolAnswered { invocation, outcome })
    }

    /// The order service's answer for an order that is out for delivery.
    pub(crate) fn finds_order(&mut self, invocation: u32, number: &str) -> String {
        let result = json!({
            "order_number": number,
            "status": "out_for_delivery",
            "expected": "six this evening",
        });
        self.answers(invocation, ToolVerdict::Done, result)
    }

    /// Asks for an order by number, up to the invocation of the tool.
    pub(crate) fn asks_for_order(&mut self, number: &str) -> Invocation {
        self.hears("where is my order");
        self.keys(number);
        self.invoked.pop().expect("the order is looked up")
    }
}
