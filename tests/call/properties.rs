//! What holds of every call, whatever happens in it; and that a call can be run again.

use std::collections::HashMap;
use std::time::Duration;

use cordboard::call::{Call, Input, LegEvent, Output};
use cordboard::replay::record;
use cordboard::timeline::{Entry, LegRole, ToolVerdict, What};
use proptest::prelude::*;

use super::office::Habit;
use super::services::{Ears, Mouth, ToolLine};
use super::talks::{greeted, read_back};
use super::world::{World, facts, settings};

/// Something that the caller, the agents or the shell do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Says(&'static str),
    Noise { ms: u64 },
    Key(char),
    Hold,
    Mute(bool),
    AgentKeys(char),
    AgentSpeaks,
    AgentHolds(bool),
    AgentLeaves,
    Ears(Ears),
    Mouth(Mouth),
    Stop,
}

fn act() -> impl Strategy<Value = Act> {
    let words = prop::sample::select(vec![
        "where is my order",
        "where is my order one two three four five six",
        "one two three four five six",
        "yes",
        "no",
        "i want to speak to a person",
        "change my address",
        "elm street five in springfield",
        "there is a fire",
        "repeat that",
        "slower please",
        "the weather is fine today",
        "help",
        "",
    ]);
    let ears = prop::sample::select(vec![
        Ears::Answer { after_ms: 100 },
        Ears::Answer { after_ms: 1_800 },
        Ears::Full,
        Ears::GiveUp { after_ms: 700 },
        Ears::Dead,
    ]);
    let mouth = prop::sample::select(vec![
        Mouth::Speak { after_ms: 40 },
        Mouth::Speak { after_ms: 1_500 },
        Mouth::Speak { after_ms: 4_000 },
        Mouth::Refuse { after_ms: 100 },
        Mouth::Dead,
    ]);
    prop_oneof![
        12 => words.prop_map(Act::Says),
        // Shorter ones are clicks, to which nobody owes an answer.
        2 => (8u64..40).prop_map(|n| Act::Noise { ms: 20 * n }),
        5 => prop::sample::select("0123456789*#".chars().collect::<Vec<_>>()).prop_map(Act::Key),
        1 => Just(Act::Hold),
        1 => any::<bool>().prop_map(Act::Mute),
        4 => prop::sample::select(vec!['1', '1', '1', '2', '3', '9']).prop_map(Act::AgentKeys),
        1 => Just(Act::AgentSpeaks),
        1 => any::<bool>().prop_map(Act::AgentHolds),
        1 => Just(Act::AgentLeaves),
        1 => ears.prop_map(Act::Ears),
        1 => mouth.prop_map(Act::Mouth),
    ]
}

fn habit() -> impl Strategy<Value = Habit> {
    let picks_up = (0u64..4_000, prop::option::of(500u64..9_000))
        .prop_map(|(after_ms, leaves_ms)| Habit::PicksUp { after_ms, keys: vec![], leaves_ms });
    let codes = prop::sample::select(vec![480, 486, 503, 603]);
    prop_oneof![
        3 => Just(Habit::keys('1')),
        1 => Just(Habit::keys('2')),
        2 => picks_up,
        1 => (250u64..4_000, codes).prop_map(|(after_ms, code)| Habit::Refuses { after_ms, code }),
        1 => Just(Habit::Absent),
    ]
}

fn tool() -> impl Strategy<Value = ToolLine> {
    prop_oneof![
        4 => (20u64..7_000).prop_map(ToolLine::found),
        2 => (20u64..7_000).prop_map(ToolLine::fails),
        1 => Just(ToolLine::never()),
    ]
}

fn happens(world: &mut World, act: Act) {
    let agent_is_there = world.agent_line.as_ref().is_some_and(|line| line.answered);
    match act {
        Act::Says(text) => world.says(text),
        Act::Noise { ms } => world.utters(ms),
        Act::Key(digit) => world.keys(&digit.to_string()),
        Act::Hold => {
            world.caller_event(LegEvent::Held);
            world.run(3_000);
            world.caller_event(LegEvent::Resumed);
        }
        Act::Mute(muted) => world.caller.muted = muted,
        Act::AgentKeys(digit) if agent_is_there => {
            world.agent_event(LegEvent::Digit { digit, duration_ms: 100 });
        }
        Act::AgentSpeaks => world.agent.speak(world.now, Duration::from_millis(700)),
        Act::AgentHolds(true) if agent_is_there => world.agent_event(LegEvent::Held),
        Act::AgentHolds(false) if agent_is_there => world.agent_event(LegEvent::Resumed),
        Act::AgentLeaves if agent_is_there => {
            let cause = cordboard::call::EndCause::Bye;
            world.agent_event(LegEvent::Ended { cause });
        }
        Act::AgentKeys(_) | Act::AgentHolds(_) | Act::AgentLeaves => {}
        Act::Ears(ears) => world.ears = ears,
        Act::Mouth(mouth) => world.mouth = mouth,
        Act::Stop => world.give(Input::Stop),
    }
}

/// No act is done twice that has not failed before; no context packet is used twice.
fn effects_are_unique(world: &World) {
    let mut settled: HashMap<&str, bool> = HashMap::new();
    let mut keys: HashMap<u32, &str> = HashMap::new();
    for entry in &world.entries {
        match &entry.what {
            What::ToolInvoked { invocation, key, .. } => {
                assert_ne!(settled.get(key.as_str()), Some(&true), "done and invoked again");
                settled.insert(key, true);
                keys.insert(*invocation, key);
            }
            What::ToolAnswered { invocation, verdict, .. } => {
                settled.insert(keys[invocation], *verdict == ToolVerdict::Done);
            }
            _ => {}
        }
    }
    let invoked = world.count(|what| matches!(what, What::ToolInvoked { .. }));
    assert_eq!(world.invocations.len(), invoked, "what is noted is done");
    let mut ids: Vec<_> = world.office.packets.iter().map(|packet| &packet.packet_id).collect();
    let enqueued = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), enqueued, "every request has a packet of its own");
    let triggered = world.count(|what| matches!(what, What::EscalationTriggered { .. }));
    assert_eq!(triggered, enqueued);
}

fn downlink_never_stopped(world: &World) {
    for tick in &world.caller.ticks {
        let last = world.hung_up == Some(tick.at);
        assert!(tick.packets == 1 || last, "{} packets at {:?}", tick.packets, tick.at);
    }
    let times = world.caller.ticks.windows(2);
    let mut gaps = times.map(|pair| pair[1].at.since(pair[0].at));
    assert!(gaps.all(|gap| gap == Duration::from_millis(20)));
}

fn prompts_are_whole(world: &World) {
    let mut open: HashMap<u32, &str> = HashMap::new();
    for entry in &world.entries {
        match &entry.what {
            What::PromptBegan { prompt, text } => {
                assert!(open.insert(*prompt, text).is_none(), "begun twice");
            }
            What::PromptEnded { prompt, heard, unsaid, .. } => {
                let whole = format!("{heard} {unsaid}");
                if let Some(text) = open.get(prompt) {
                    assert_eq!(whole.trim(), *text);
                }
            }
            _ => {}
        }
    }
}

fn runs_again(world: &World) {
    let mut call = Call::new(facts(), settings());
    let mut entries: Vec<Entry> = vec![];
    let mut drain = |call: &mut Call| loop {
        match call.poll_output() {
            Output::Entry(entry) => entries.push(entry),
            Output::Wait(_) | Output::Over => return,
            _ => {}
        }
    };
    drain(&mut call);
    for (now, kind, bytes) in &world.tape {
        let input = record::decode(*kind, bytes).expect("what was encoded can be decoded");
        call.handle_input(*now, input).expect("it was taken the first time");
        drain(&mut call);
    }
    let text = |entries: &[Entry]| -> Vec<String> {
        entries
            .iter()
            .map(|entry| serde_json::to_string(entry).expect("entries are data"))
            .collect()
    };
    assert_eq!(text(&world.entries), text(&entries));
}

/// What holds of every call that is over.
pub(crate) fn keeps_its_promises(world: &World) {
    let dead = world.caller.dead_air();
    assert!(dead.1 <= Duration::from_secs(3), "{dead:?}\n{}", world.story());
    effects_are_unique(world);
    downlink_never_stopped(world);
    prompts_are_whole(world);
    assert!(world.office.is_idle(world.now), "{:?}", world.office.notes);
    let accepted = world.count(|what| matches!(what, What::AgentAccepted { .. }));
    assert_eq!(world.office.releases(), accepted);
    let parted = world.count(|w| matches!(w, What::LegParted { role: LegRole::Caller, .. }));
    assert_eq!(parted, 1);
    let times: Vec<u64> = world.entries.iter().map(|entry| entry.at_ms).collect();
    assert!(times.is_sorted(), "{}", world.story());
    runs_again(world);
}

#[test]
fn a_call_run_again_from_its_record_has_the_same_timeline_byte_for_byte() {
    let mut world = read_back(World::staffed(vec![("ada", vec![Habit::keys('1')])]));
    world.says("yes");
    world.hears("anything else");
    world.run(300);
    world.says("i want to speak to a person");
    world.awaits("the bridge", 40_000, |what| matches!(what, What::Bridged { .. }));
    world.keys("5");
    world.run(1_000);
    world.hangs_up();
    world.ends(10_000);
    assert!(world.entries.len() > 40);
    runs_again(&world);
}

#[test]
fn a_call_that_never_rang_through_runs_again_too() {
    let mut world = World::ringing();
    world.leaves(cordboard::call::EndCause::Cancelled);
    world.ends(0);
    runs_again(&world);
}

/// Each case is minutes of a call, and tenths of a second of ours.
const CASES: u32 = 64;

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn whatever_happens_a_call_keeps_its_promises(
        acts in prop::collection::vec((act(), 20u64..5_000), 1..22),
        ada in prop::collection::vec(habit(), 0..3),
        bob in prop::collection::vec(habit(), 0..3),
        tools in prop::collection::vec(tool(), 0..5),
        stops in prop::bool::weighted(0.2),
    ) {
        let mut world = World::staffed(vec![("ada", ada), ("bob", bob)]);
        world.tools.extend(tools);
        let mut world = greeted(world);
        for (act, then_ms) in acts {
            if world.over.is_some() || world.hung_up.is_some() {
                break;
            }
            happens(&mut world, act);
            world.run(then_ms);
        }
        if stops {
            happens(&mut world, Act::Stop);
        } else if world.over.is_none() && world.hung_up.is_none() {
            world.hangs_up();
        }
        world.ends(45_000);
        keeps_its_promises(&world);
    }
}
