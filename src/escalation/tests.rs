//! The escalation as a whole: the table of the module's documentation, the stories that a caller
//! and an agent can have, and what holds whatever comes.

mod matrix;
mod properties;
mod stories;

use std::sync::Arc;

use cordboard_audio::MediaTime;

use super::{AgentRef, DialId, Escalation, Input, Output, Request, Rules, SpeechId};
use crate::conversation::Case;
use crate::timeline::{CallId, Links, Trigger};

pub(super) fn request(packet_id: &str) -> Request {
    Request {
        trigger: Trigger::Asked,
        reason: "the caller asked".into(),
        queue: "service".into(),
        case: Case { stated_issue: "where is my parcel".into(), ..Case::default() },
        transcript: Vec::new(),
        caller: "sip:2025550100@203.0.113.7".into(),
        call_id: CallId("c1".into()),
        packet_id: packet_id.into(),
        links: Links::default(),
        rules: Arc::new(Rules::default()),
    }
}

fn agent(name: &str) -> AgentRef {
    AgentRef { name: name.into(), uri: format!("sip:{name}@127.0.0.1").into() }
}

/// A machine, its clock, and what it last put out.
struct Bench {
    escalation: Escalation,
    now: MediaTime,
    out: Vec<Output>,
    deadline: Option<MediaTime>,
    dial: DialId,
    speech: SpeechId,
}

impl Bench {
    fn new() -> Self {
        let (dial, speech) = (DialId(0), SpeechId(0));
        let now = MediaTime::from_millis(1_000);
        Self { escalation: Escalation::new(), now, out: Vec::new(), deadline: None, dial, speech }
    }

    fn triggered(rules: Rules) -> Self {
        let mut bench = Self::new();
        let request = Request { rules: Arc::new(rules), ..request("p1") };
        bench.give(Input::Triggered(Box::new(request)));
        bench
    }

    /// Gives an input that must be taken, and keeps what came of it.
    fn give(&mut self, input: Input) -> &mut Self {
        self.escalation.handle_input(self.now, input).expect("an input of the contract");
        self.drain();
        self
    }

    fn drain(&mut self) {
        self.out.clear();
        loop {
            match self.escalation.poll_output() {
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                output => self.keep(output),
            }
        }
    }

    fn keep(&mut self, output: Output) {
        if let Output::Dial { dial, .. } = output {
            self.dial = dial;
        }
        if let Output::Brief { speech, .. } | Output::TellAgent { speech, .. } = output {
            self.speech = speech;
        }
        self.out.push(output);
    }

    /// Lets time pass to the deadline.
    fn wait(&mut self) -> &mut Self {
        self.now = self.deadline.expect("a deadline");
        self.give(Input::Timeout)
    }

    fn offered(&mut self, name: &str) -> &mut Self {
        self.give(Input::Offered { packet_id: "p1".into(), agent: agent(name) })
    }

    fn answered(&mut self) -> &mut Self {
        let dial = self.dial;
        self.give(Input::AgentAnswered { dial })
    }

    fn said(&mut self) -> &mut Self {
        let speech = self.speech;
        self.give(Input::BriefEnded { speech })
    }

    fn keyed(&mut self, digit: char) -> &mut Self {
        let dial = self.dial;
        self.give(Input::AgentKeyed { dial, digit })
    }

    fn agent_left(&mut self) -> &mut Self {
        let dial = self.dial;
        self.give(Input::AgentLeft { dial })
    }

    /// Whether an output is among the last.
    fn has(&self, output: &Output) -> bool {
        self.out.contains(output)
    }
}
