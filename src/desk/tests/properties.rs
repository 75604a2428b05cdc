//! What holds whatever comes, against a model that keeps only what was said.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use cordboard_audio::MediaTime;
use proptest::prelude::*;

use super::super::{DeskEntry, DeskSettings, GaveUp, Input, Order, Output, Standing};
use super::{Bench, call, settings};
use crate::escalation::{DeskReport, Refusal};

const AGENTS: [&str; 3] = ["ada", "bea", "cy"];

/// What may happen; numbers choose among what there is at that moment.
#[derive(Clone, Debug)]
enum Act {
    Enqueue(u8),
    Withdraw(usize),
    Decline(usize),
    NoAnswer(usize),
    Accept(usize),
    Release(usize),
    Pause(usize),
    Resume(usize),
    Pass(u64),
    Deadline,
}

fn act(refusals: bool) -> impl Strategy<Value = Act> {
    let refuse = u32::from(refusals) * 3;
    let any = || 0_usize..100;
    prop_oneof![
        8 => (0_u8..3).prop_map(Act::Enqueue),
        2 => any().prop_map(Act::Withdraw),
        6 => any().prop_map(Act::Accept),
        5 => any().prop_map(Act::Release),
        3 => (0_u64..30_000).prop_map(Act::Pass),
        1 + refuse => Just(Act::Deadline),
        refuse => any().prop_map(Act::Decline),
        refuse => any().prop_map(Act::NoAnswer),
        refuse / 3 => any().prop_map(Act::Pause),
        refuse / 3 => any().prop_map(Act::Resume),
    ]
}

/// What was said to the desk and by it.
#[derive(Default)]
struct Model {
    calls: u32,
    /// Enqueued and unanswered, or offered: priority and arrival.
    waiting: BTreeMap<String, (u8, u32)>,
    /// By agent, the call.
    offered: BTreeMap<String, String>,
    talking: BTreeMap<String, String>,
    paused: BTreeSet<String>,
    resting: BTreeMap<String, MediaTime>,
    /// Never offered and not given up, with the time by which that must be.
    owed: BTreeMap<String, MediaTime>,
}

impl Model {
    fn input(&mut self, bench: &mut Bench, act: &Act) -> Option<Input> {
        let pick = |of: &BTreeMap<String, String>, n: usize| {
            of.iter().nth(n % of.len().max(1)).map(|(agent, call)| (agent.clone(), call.clone()))
        };
        Some(match act {
            Act::Enqueue(priority) => {
                self.calls += 1;
                let name = format!("c{:03}", self.calls);
                self.waiting.insert(name.clone(), (*priority, self.calls));
                self.owed.insert(name.clone(), bench.now + Duration::from_secs(120));
                let queue = "service".to_owned();
                let (call, packet_id) = (call(&name), name);
                Input::Enqueued { call, queue, packet_id, priority: *priority }
            }
            Act::Withdraw(n) => {
                let name = self.waiting.keys().nth(n % self.waiting.len().max(1))?.clone();
                self.waiting.remove(&name);
                self.owed.remove(&name);
                self.offered.retain(|_, offered| *offered != name);
                Input::Withdrawn { call: call(&name) }
            }
            Act::Decline(n) => {
                let (agent, name) = pick(&self.offered, *n)?;
                self.offered.remove(&agent);
                let (agent, why) = (agent.into(), Refusal::Declined);
                Input::Reported { call: call(&name), report: DeskReport::Declined { agent, why } }
            }
            Act::NoAnswer(n) => {
                let (agent, name) = pick(&self.offered, *n)?;
                self.offered.remove(&agent);
                self.resting.insert(agent.clone(), bench.now + Duration::from_secs(5));
                let (agent, why) = (agent.into(), Refusal::NoAnswer);
                Input::Reported { call: call(&name), report: DeskReport::NoAnswer { agent, why } }
            }
            Act::Accept(n) => {
                let (agent, name) = pick(&self.offered, *n)?;
                self.offered.remove(&agent);
                self.waiting.remove(&name);
                self.talking.insert(agent.clone(), name.clone());
                let agent = agent.into();
                Input::Reported { call: call(&name), report: DeskReport::Accepted { agent } }
            }
            Act::Release(n) => {
                let (agent, name) = pick(&self.talking, *n)?;
                self.talking.remove(&agent);
                let agent = agent.into();
                Input::Reported { call: call(&name), report: DeskReport::Released { agent } }
            }
            Act::Pause(n) => {
                let name = AGENTS[n % AGENTS.len()];
                self.paused.insert(name.to_owned());
                Input::AgentPaused(name.into())
            }
            Act::Resume(n) => {
                let name = AGENTS[n % AGENTS.len()];
                self.paused.remove(name);
                Input::AgentResumed(name.into())
            }
            Act::Pass(ms) => {
                bench.now = bench.now + Duration::from_millis(*ms);
                Input::Timeout
            }
            Act::Deadline => {
                bench.now = bench.now.max(bench.deadline.unwrap_or(bench.now));
                Input::Timeout
            }
        })
    }

    /// Counts what the desk said; `refusals` tells whether calls may pass over an agent.
    fn count(&mut self, bench: &Bench, refusals: bool) {
        for output in &bench.out {
            match output {
                Output::Offer { call, packet_id, agent } => {
                    assert_eq!(&call.0, packet_id);
                    self.offer(bench.now, &call.0, &agent.name, refusals);
                }
                Output::NobodyCame { call, .. } => {
                    assert!(self.waiting.remove(&call.0).is_some(), "{call} was not waiting");
                    self.owed.remove(&call.0);
                }
                Output::Note(DeskEntry::NobodyCame { call, why: GaveUp::OfferLost, .. }) => {
                    self.offered.retain(|_, offered| *offered != call.0);
                }
                Output::Note(DeskEntry::TalkLost { agent, .. }) => {
                    self.talking.remove(&**agent);
                }
                Output::Note(_) | Output::Wait(_) => {}
            }
        }
        for (call, by) in &self.owed {
            assert!(*by > bench.now, "{call} is forgotten");
        }
        if !refusals {
            let free = bench.desk.positions(bench.now).agents;
            let free = free.iter().any(|a| matches!(a.standing, Standing::Free { .. }));
            assert!(
                !free || self.unoffered().next().is_none(),
                "an agent idles while a call waits"
            );
        }
    }

    fn offer(&mut self, now: MediaTime, call: &str, agent: &str, refusals: bool) {
        assert!(!self.offered.contains_key(agent), "{agent} is being rung already");
        assert!(!self.talking.contains_key(agent), "{agent} is on a call");
        assert!(!self.paused.contains(agent), "{agent} is paused");
        assert!(self.resting.get(agent).is_none_or(|until| *until <= now), "{agent} rests");
        assert!(!self.offered.values().any(|offered| offered == call), "{call} has two agents");
        let (priority, arrival) = self.waiting[call];
        if !refusals {
            let first = self.unoffered().map(|(priority, arrival)| (255 - priority, arrival)).min();
            assert_eq!(first, Some((255 - priority, arrival)), "{call} is not the first");
        }
        self.owed.remove(call);
        self.offered.insert(agent.to_owned(), call.to_owned());
    }

    fn unoffered(&self) -> impl Iterator<Item = (u8, u32)> {
        let unoffered = self
            .waiting
            .iter()
            .filter(|(name, _)| !self.offered.values().any(|offered| offered == *name));
        unoffered.map(|(_, &rank)| rank)
    }
}

fn play(order: Order, refusals: bool, acts: &[Act]) {
    let mut desk: DeskSettings = settings(&AGENTS);
    desk.queues[0].order = order;
    let mut bench = Bench::new(desk);
    let mut model = Model::default();
    for act in acts {
        let Some(input) = model.input(&mut bench, act) else { continue };
        bench.give(input);
        model.count(&bench, refusals);
        assert!(bench.deadline.is_none_or(|deadline| deadline >= bench.now));
    }
    // Nobody says a word any more: all is answered and forgotten within its time.
    let mut timeouts = 0;
    while bench.deadline.is_some() {
        timeouts += 1;
        assert!(timeouts <= 20 + 10 * model.calls, "{:?}", bench.desk);
        bench.wait();
        model.count(&bench, refusals);
    }
    assert!(model.waiting.is_empty() && model.owed.is_empty(), "forgotten: {:?}", model.waiting);
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Configured), Just(Order::LongestIdle)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_rung_twice_and_no_call_is_forgotten(
        order in order(),
        acts in prop::collection::vec(act(true), 0..80),
    ) {
        play(order, true, &acts);
    }

    #[test]
    fn a_freed_agent_goes_to_the_call_that_has_waited_longest(
        order in order(),
        acts in prop::collection::vec(act(false), 0..80),
    ) {
        play(order, false, &acts);
    }
}
