//! A caller, a model and systems that say anything at all: the conversation asks for nothing
//! without end, says nothing empty, never does a thing twice, and is silent once it has said
//! goodbye.
#![no_main]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use arbitrary::Arbitrary;
use cordboard::conversation::{
    Conversation, Flow, Heard, Input, Move, Output, Prompt, PromptId, ToolOutcome,
};
use cordboard::timeline::{Debtor, ToolVerdict};
use cordboard::turn::{TurnEvent, Utterance};
use cordboard_audio::MediaTime;
use cordboard_models::speech::{AnswerEvent, Ranked, ToolCall};
use jiff::civil::date;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

const MOST_OUTPUTS: usize = 200;
const PHRASES: [&str; 32] = [
    "yes",
    "no",
    "where is my order",
    "change my address",
    "i have a complaint",
    "one two three",
    "four five six",
    "double five oh oh nine two",
    "the third digit is five",
    "it's five not nine",
    "twelve",
    "repeat",
    "slower",
    "help",
    "an agent",
    "goodbye",
    "when are you open",
    "there is a fire",
    "five mill lane",
    "not",
    "order number",
    "please",
    "last",
    "is",
    "stop",
    "a question",
    "tomorrow",
    "half past six",
    "ten dollars",
    "the",
    "what",
    "thirty",
];
const INTENTS: [&str; 5] =
    ["order_status", "complaint", "change_address", "opening_hours", "question"];
const TOOLS: [&str; 3] = ["order_lookup", "address_change", "nothing"];

static FLOWS: LazyLock<[Arc<Flow>; 2]> = LazyLock::new(|| {
    let parcel = include_str!("../../flows/parcel.yaml");
    let questions = include_str!("../../flows/questions.yaml");
    [parcel, questions].map(|text| {
        Arc::new(Flow::parse(text, "flow.yaml", &BTreeMap::new()).expect("the example is good"))
    })
});

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Says { phrases: Vec<u8>, confidence: u8, rejected: bool },
    SaysText(&'a str),
    Key(u8),
    Hears { all: bool },
    Unspoken,
    Interrupts,
    Silence(bool),
    Tool { verdict: u8, result: &'a str },
    Order { status: u8, expected: &'a str },
    Ranks(Vec<(u8, u8)>),
    Sentence(&'a str),
    Calls { name: u8, arguments: &'a str },
    AnswerEnds(bool),
    NobodyCame(bool),
    Wait(u16),
    Due,
}

struct Table {
    conversation: Conversation,
    now: MediaTime,
    prompts: Vec<Prompt>,
    last_prompt: u32,
    invoked: BTreeMap<u32, String>,
    /// Keys of the tools that run, and of those that have done their work.
    running: BTreeSet<String>,
    done: BTreeSet<String>,
    request: u32,
    order: u32,
    deadline: Option<MediaTime>,
    is_over: bool,
}

fuzz_target!(|input: (bool, Vec<Act<'_>>)| {
    let (which, acts) = input;
    let flow = Arc::clone(&FLOWS[usize::from(which)]);
    let mut table = Table {
        conversation: Conversation::new(flow, "01CALL", "sip:caller@example.org", 7),
        now: MediaTime::from_millis(100),
        prompts: Vec::new(),
        last_prompt: 0,
        invoked: BTreeMap::new(),
        running: BTreeSet::new(),
        done: BTreeSet::new(),
        request: 0,
        order: 0,
        deadline: None,
        is_over: false,
    };
    table.put(Input::Began { local: date(2026, 11, 21).at(12, 0, 0, 0) });
    acts.into_iter().take(96).for_each(|act| table.act(act));
});

impl Table {
    fn act(&mut self, act: Act<'_>) {
        match act {
            Act::Says { phrases, confidence, rejected } => {
                let phrase = |at: &u8| PHRASES[usize::from(*at) % PHRASES.len()];
                let text: Vec<&str> = phrases.iter().take(12).map(phrase).collect();
                self.says(&text.join(" "), f32::from(confidence) / 255.0, rejected);
            }
            Act::SaysText(text) => self.says(text, 0.9, false),
            Act::Key(key) => {
                let digit = char::from(b"0123456789*#ABCD"[usize::from(key % 16)]);
                self.put(Input::Keyed { digit });
            }
            Act::Hears { all } => self.hears(all),
            Act::Unspoken => {
                if let Some(prompt) = self.prompts.first().map(|it| it.id) {
                    self.put(Input::Unspoken { prompt });
                    self.hears(false);
                }
            }
            Act::Interrupts => {
                self.put(Input::Turn(TurnEvent::CallerBegan));
                self.put(Input::Turn(TurnEvent::Interrupted));
            }
            Act::Silence(ours) => {
                let owed_by = if ours { Debtor::Assistant } else { Debtor::Caller };
                let lasting = Duration::from_secs(4);
                self.put(Input::Turn(TurnEvent::Silence { owed_by, lasting }));
            }
            Act::Tool { verdict, result } => {
                let result = serde_json::from_str(result).unwrap_or(json!(result));
                self.answers(verdict, result);
            }
            Act::Order { status, expected } => {
                let status =
                    ["delayed", "out_for_delivery", "delivered", "?"][usize::from(status % 4)];
                let result = json!({
                    "order_number": "123456", "status": status, "expected": expected,
                    "changed": true,
                });
                self.answers(0, result);
            }
            Act::Ranks(ranked) => {
                let ranked = ranked.into_iter().take(4).map(|(name, probability)| Ranked {
                    name: INTENTS[usize::from(name) % INTENTS.len()].into(),
                    probability: f32::from(probability) / 255.0,
                });
                self.put(Input::Ranked { request: self.request, ranked: ranked.collect() });
            }
            Act::Sentence(text) => self.model(AnswerEvent::Sentence(text.to_owned())),
            Act::Calls { name, arguments } => {
                let arguments = serde_json::from_str(arguments).unwrap_or(json!({}));
                let name = TOOLS[usize::from(name) % TOOLS.len()].to_owned();
                self.model(AnswerEvent::Called(ToolCall { id: "1".to_owned(), name, arguments }));
            }
            Act::AnswerEnds(true) => self.model(AnswerEvent::Ended),
            Act::AnswerEnds(false) => {
                self.put(Input::AnswerFailed { order: self.order, why: "late".to_owned() });
            }
            Act::NobodyCame(left) => {
                self.put(if left { Input::AgentLeft } else { Input::NobodyCame });
            }
            Act::Wait(ms) => self.now = self.now + Duration::from_millis(ms.into()),
            Act::Due => {
                let Some(deadline) = self.deadline else { return };
                self.now = self.now.max(deadline);
                self.put(Input::Timeout);
                assert_ne!(self.deadline, Some(deadline), "what is due is dealt with");
            }
        }
    }

    fn says(&mut self, text: &str, confidence: f32, rejected: bool) {
        let (began, ended) = (self.now, self.now);
        let text = text.to_lowercase();
        let utterance = Utterance { text, confidence, rejected, began, ended };
        self.put(Input::Turn(TurnEvent::CallerYielded(utterance)));
    }

    fn hears(&mut self, all: bool) {
        for prompt in std::mem::take(&mut self.prompts) {
            let half = prompt.text.len() / 2;
            let cut = (half..).find(|at| prompt.text.is_char_boundary(*at)).unwrap_or(0);
            let cut = if all { prompt.text.len() } else { cut };
            let (text, unsaid) = prompt.text.split_at(cut);
            let heard = Heard { text: text.to_owned(), unsaid: unsaid.to_owned() };
            self.put(Input::PromptEnded { prompt: PromptId(prompt.id.0), heard });
        }
    }

    fn answers(&mut self, verdict: u8, result: Value) {
        let Some((invocation, key)) = self.invoked.pop_first() else { return };
        let verdict = match verdict % 5 {
            0 | 1 => ToolVerdict::Done,
            2 => ToolVerdict::Status(404),
            3 => ToolVerdict::TimedOut,
            _ => ToolVerdict::Malformed,
        };
        self.running.remove(&key);
        if verdict == ToolVerdict::Done {
            self.done.insert(key);
        }
        let outcome = ToolOutcome { verdict, result, took_ms: 10 };
        self.put(Input::ToolAnswered { invocation, outcome });
    }

    fn model(&mut self, event: AnswerEvent) {
        self.put(Input::Answered { order: self.order, event });
    }

    fn put(&mut self, input: Input) {
        let was_over = self.is_over;
        self.conversation.handle_input(self.now, input).expect("it has begun");
        for _ in 0..MOST_OUTPUTS {
            match self.conversation.poll_output() {
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    let case = self.conversation.case();
                    assert!((0.0..=1.0).contains(&case.confidence));
                    return;
                }
                Output::Note(_) | Output::Move(Move::DropAnswer(_)) => {}
                Output::Move(one) => {
                    assert!(!was_over, "after the goodbye: {one:?}");
                    self.moves(one);
                }
            }
        }
        panic!("a conversation that asks without end");
    }

    fn moves(&mut self, one: Move) {
        match one {
            Move::Say(prompt) | Move::Ask(prompt, _) => {
                assert!(!prompt.text.trim().is_empty() && !prompt.text.contains("{{"));
                assert!(prompt.id.0 > self.last_prompt, "a number of its own");
                assert!((0.4..=3.0).contains(&prompt.stretch));
                self.last_prompt = prompt.id.0;
                self.prompts.push(prompt);
            }
            Move::Invoke(invocation) => {
                let key = invocation.key;
                assert!(!self.done.contains(&key), "done twice");
                assert!(self.running.insert(key.clone()), "runs twice");
                assert!(self.invoked.insert(invocation.id, key).is_none());
            }
            Move::Rank(request) => self.request = request.id,
            Move::Answer(order) => self.order = order.id,
            Move::Hangup => self.is_over = true,
            Move::Listen(_) | Move::Escalate { .. } | Move::DropAnswer(_) => {}
        }
    }
}
