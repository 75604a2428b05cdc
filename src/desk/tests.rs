//! The desk as a whole: the table of the module's documentation, stories, and what holds whatever
//! comes.

mod changes;
mod matrix;
mod properties;
mod stories;

use std::time::Duration;

use cordboard_audio::MediaTime;

use super::{AgentProfile, Desk, DeskEntry, DeskSettings, Input, Output, QueueRules};
use crate::escalation::{AgentRef, DeskReport, Refusal};
use crate::timeline::CallId;

fn call(name: &str) -> CallId {
    CallId(name.to_owned())
}

fn profile(name: &str, queues: &[&str]) -> AgentProfile {
    AgentProfile {
        agent: AgentRef { name: name.into(), uri: format!("sip:{name}@127.0.0.1").into() },
        skills: Vec::new(),
        queues: queues.iter().map(|&queue| queue.to_owned()).collect(),
    }
}

/// Agents of those names, all in the queue "service".
fn settings(names: &[&str]) -> DeskSettings {
    DeskSettings {
        agents: names.iter().map(|name| profile(name, &["service"])).collect(),
        queues: vec![QueueRules::named("service")],
        ..DeskSettings::default()
    }
}

/// A desk, its clock, and what it last put out.
struct Bench {
    desk: Desk,
    now: MediaTime,
    out: Vec<Output>,
    deadline: Option<MediaTime>,
}

impl Bench {
    fn new(settings: DeskSettings) -> Self {
        let desk = Desk::new(settings).expect("settings that fit");
        Self { desk, now: MediaTime::from_millis(1_000), out: Vec::new(), deadline: None }
    }

    fn give(&mut self, input: Input) -> &mut Self {
        self.desk.handle_input(self.now, input).expect("an input of the contract");
        self.drain();
        self
    }

    fn drain(&mut self) {
        self.out.clear();
        loop {
            match self.desk.poll_output() {
                Output::Wait(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                output => self.out.push(output),
            }
        }
    }

    fn wait(&mut self) -> &mut Self {
        self.now = self.deadline.expect("a deadline").max(self.now);
        self.give(Input::Timeout)
    }

    fn pass(&mut self, seconds: u64) -> &mut Self {
        self.now = self.now + Duration::from_secs(seconds);
        self.give(Input::Timeout)
    }

    fn enqueue(&mut self, name: &str) -> &mut Self {
        self.enqueue_into(name, "service", 0)
    }

    fn enqueue_into(&mut self, name: &str, queue: &str, priority: u8) -> &mut Self {
        let (queue, packet_id) = (queue.to_owned(), format!("p-{name}"));
        self.give(Input::Enqueued { call: call(name), queue, packet_id, priority })
    }

    fn report(&mut self, name: &str, report: DeskReport) -> &mut Self {
        self.give(Input::Reported { call: call(name), report })
    }

    fn declined(&mut self, name: &str, agent: &str) -> &mut Self {
        let why = Refusal::Declined;
        self.report(name, DeskReport::Declined { agent: agent.into(), why })
    }

    fn no_answer(&mut self, name: &str, agent: &str) -> &mut Self {
        let why = Refusal::NoAnswer;
        self.report(name, DeskReport::NoAnswer { agent: agent.into(), why })
    }

    fn accepted(&mut self, name: &str, agent: &str) -> &mut Self {
        self.report(name, DeskReport::Accepted { agent: agent.into() })
    }

    fn released(&mut self, name: &str, agent: &str) -> &mut Self {
        self.report(name, DeskReport::Released { agent: agent.into() })
    }

    fn lost(&mut self, name: &str, agent: &str) -> &mut Self {
        self.report(name, DeskReport::Lost { agent: agent.into() })
    }

    /// Calls and agents of the last offers.
    fn offers(&self) -> Vec<(&str, &str)> {
        let offers = self.out.iter().filter_map(|output| match output {
            Output::Offer { call, agent, .. } => Some((&*call.0, &*agent.name)),
            Output::NobodyCame { .. } | Output::Note(_) | Output::Wait(_) => None,
        });
        offers.collect()
    }

    /// Calls that the desk last gave up, and why.
    fn given_up(&self) -> Vec<(&str, super::GaveUp)> {
        let entries = self.out.iter().filter_map(|output| match output {
            Output::Note(DeskEntry::NobodyCame { call, why, .. }) => Some((&*call.0, *why)),
            Output::Offer { .. }
            | Output::NobodyCame { .. }
            | Output::Note(_)
            | Output::Wait(_) => None,
        });
        entries.collect()
    }
}
