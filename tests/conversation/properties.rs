//! Whatever comes in, in whatever order: never mute, never twice, and an end.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cordboard::conversation::{Heard, Input, ToolOutcome};
use cordboard::timeline::{Debtor, ToolVerdict};
use cordboard::turn::TurnEvent;
use cordboard_models::speech::Ranked;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::desk::Table;

/// One thing that may happen to a call.
#[derive(Clone, Debug)]
enum Event {
    Says(usize, f32, bool),
    Keys(char),
    Silence(Debtor),
    Interrupts,
    Hears,
    Answers(u8),
    Ranks(u8),
    NobodyCame,
    Timeout,
    Late(u32),
}

const WORDS: [&str; 24] = [
    "",
    "yes",
    "no",
    "where is my order",
    "where is my order one two three four five six",
    "change my address",
    "i have a complaint",
    "one two three four five six",
    "double five oh oh nine two",
    "no the third digit is five",
    "it's five not nine",
    "twelve",
    "repeat",
    "slower",
    "help",
    "an agent",
    "goodbye",
    "when are you open",
    "there is a fire",
    "lorem ipsum dolor sit amet",
    "five mill lane",
    "\u{1f600} \u{0}",
    "the the the the",
    "not not not",
];

fn event() -> impl Strategy<Value = Event> {
    let key = prop::sample::select("0123456789*#A".chars().collect::<Vec<_>>());
    prop_oneof![
        6 => (0..WORDS.len(), 0.0_f32..1.0, prop::bool::weighted(0.15))
            .prop_map(|(words, confidence, rejected)| Event::Says(words, confidence, rejected)),
        3 => key.prop_map(Event::Keys),
        1 => Just(Event::Silence(Debtor::Caller)),
        1 => Just(Event::Silence(Debtor::Assistant)),
        1 => Just(Event::Interrupts),
        2 => Just(Event::Hears),
        3 => (0_u8..6).prop_map(Event::Answers),
        2 => (0_u8..4).prop_map(Event::Ranks),
        1 => Just(Event::NobodyCame),
        1 => Just(Event::Timeout),
        1 => (0_u32..5).prop_map(Event::Late),
    ]
}

/// A call under random events, with what the outside owes it.
struct Rig {
    table: Table,
    unanswered: BTreeSet<u32>,
    last_request: u32,
    /// Verdicts by idempotency key; none while it runs.
    verdicts: BTreeMap<String, Vec<Option<bool>>>,
    keys: BTreeMap<u32, String>,
    away: bool,
    queued: BTreeSet<u32>,
}

impl Rig {
    fn put(&mut self, input: &Input, must_speak: bool) -> Result<(), TestCaseError> {
        self.table.now = self.table.now + Duration::from_millis(400);
        let over = self.table.hung_up;
        self.table.escalated = None;
        self.table.put_at_once(input.clone());
        let spoke = !self.table.prompts.is_empty();
        let moved = spoke || !self.table.ranked.is_empty();
        if over {
            prop_assert!(!moved && self.table.invoked.is_empty(), "moved after the end");
        } else if must_speak {
            prop_assert!(moved || !self.queued.is_empty(), "mute after {:?}", input);
        }
        self.queued.extend(self.table.prompts.iter().map(|prompt| prompt.id.0));
        for prompt in &self.table.prompts {
            prop_assert!(!prompt.text.trim().is_empty() && !prompt.text.contains("{{"));
        }
        self.last_request = self.table.ranked.last().copied().unwrap_or(self.last_request);
        for invocation in self.table.invoked.clone() {
            let earlier = self.verdicts.entry(invocation.key.clone()).or_default();
            prop_assert!(earlier.iter().all(|verdict| *verdict == Some(false)), "done twice");
            earlier.push(None);
            self.unanswered.insert(invocation.id);
            self.keys.insert(invocation.id, invocation.key);
        }
        if self.table.escalated.is_some() {
            self.away = true;
        }
        Ok(())
    }

    fn happen(&mut self, event: &Event) -> Result<(), TestCaseError> {
        let live = !self.away && !self.table.hung_up;
        match *event {
            Event::Says(words, confidence, rejected) => {
                let utterance = self.table.utterance(WORDS[words], confidence, rejected);
                // While keys are pressed, their deadline stands and nothing need be said.
                let keying = self.table.deadline.is_some() && self.unanswered.is_empty();
                let speak = live && !keying;
                self.put(&Input::Turn(TurnEvent::CallerYielded(utterance)), speak)
            }
            Event::Keys(digit) => self.put(&Input::Keyed { digit }, false),
            Event::Silence(owed_by) => {
                let lasting = Duration::from_secs(4);
                self.put(&Input::Turn(TurnEvent::Silence { owed_by, lasting }), false)
            }
            Event::Interrupts => {
                self.put(&Input::Turn(TurnEvent::CallerBegan), false)?;
                self.put(&Input::Turn(TurnEvent::Interrupted), false)
            }
            Event::Hears => self.hear_all(),
            Event::Answers(how) => match self.unanswered.pop_first() {
                Some(invocation) => self.answer(invocation, how),
                None => Ok(()),
            },
            Event::Ranks(how) => {
                let names = ["order_status", "complaint", "nothing of ours"];
                let ranked = names.get(usize::from(how)).map(|name| Ranked {
                    name: (*name).into(),
                    probability: 0.3 + 0.2 * f32::from(how),
                });
                let request = self.last_request;
                self.put(&Input::Ranked { request, ranked: ranked.into_iter().collect() }, false)
            }
            Event::NobodyCame if self.away => {
                self.away = false;
                self.put(&Input::NobodyCame, true)
            }
            Event::NobodyCame => Ok(()),
            Event::Timeout => {
                if let Some(deadline) = self.table.deadline {
                    self.table.now = self.table.now.max(deadline);
                }
                self.put(&Input::Timeout, false)
            }
            Event::Late(invocation) => {
                let result = Value::Null;
                let outcome = ToolOutcome { verdict: ToolVerdict::TimedOut, result, took_ms: 1 };
                if self.unanswered.contains(&invocation) {
                    return Ok(());
                }
                self.put(&Input::ToolAnswered { invocation, outcome }, false)
            }
        }
    }

    fn hear_all(&mut self) -> Result<(), TestCaseError> {
        for prompt in std::mem::take(&mut self.queued) {
            let heard = Heard { text: "something".to_owned(), unsaid: String::new() };
            let prompt = cordboard::conversation::PromptId(prompt);
            self.put(&Input::PromptEnded { prompt, heard }, false)?;
        }
        Ok(())
    }

    fn answer(&mut self, invocation: u32, how: u8) -> Result<(), TestCaseError> {
        let order = json!({
            "order_number": "123456", "status": "delayed", "expected": "tomorrow", "changed": true
        });
        let (verdict, result) = match how {
            0 | 1 => (ToolVerdict::Done, order),
            2 => (ToolVerdict::Status(404), Value::Null),
            3 => (ToolVerdict::Status(500), Value::Null),
            4 => (ToolVerdict::TimedOut, Value::Null),
            _ => (ToolVerdict::Done, json!(["not", "an", "order"])),
        };
        let settled = matches!(verdict, ToolVerdict::Done | ToolVerdict::Status(404));
        let key = &self.keys[&invocation];
        if let Some(running) =
            self.verdicts.get_mut(key).and_then(|all| all.iter_mut().find(|one| one.is_none()))
        {
            *running = Some(settled);
        }
        let awaited = !self.away && !self.table.hung_up && self.table.deadline.is_some();
        let outcome = ToolOutcome { verdict, result, took_ms: 10 };
        self.put(&Input::ToolAnswered { invocation, outcome }, awaited)
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whatever_happens_the_assistant_is_never_mute_and_comes_to_an_end(
        events in prop::collection::vec(event(), 0..60),
    ) {
        let mut rig = Rig {
            table: Table::greeted(),
            unanswered: BTreeSet::new(),
            last_request: 0,
            verdicts: BTreeMap::new(),
            keys: BTreeMap::new(),
            away: false,
            queued: BTreeSet::new(),
        };
        for event in events {
            rig.happen(&event)?;
        }
        // From here on nothing but silence, deadlines, and tools that fail.
        for _ in 0..24 {
            if rig.table.hung_up || rig.away {
                break;
            }
            rig.hear_all()?;
            if let Some(invocation) = rig.unanswered.pop_first() {
                rig.answer(invocation, 3)?;
            } else if rig.table.deadline.is_some() {
                rig.happen(&Event::Timeout)?;
            } else {
                rig.happen(&Event::Silence(Debtor::Caller))?;
            }
        }
        prop_assert!(rig.table.hung_up || rig.away, "no end: {:?}", rig.table.conversation);
    }

    #[test]
    fn the_same_inputs_give_the_same_conversation(
        events in prop::collection::vec((0..WORDS.len(), 0.0_f32..1.0), 0..20),
    ) {
        let run = || {
            let mut table = Table::greeted();
            let said: Vec<String> = events
                .iter()
                .map(|(words, confidence)| table.hears_unsure(WORDS[*words], *confidence))
                .collect();
            (said, table.conversation.case())
        };
        prop_assert_eq!(run(), run());
    }
}
