//! What holds of every call, whatever happens in it; and that a call can be run again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use cordboard::call::{Input, LegEvent};
use cordboard::replay::exact::{first_difference, rebuilt};
use cordboard::timeline::{LegRole, ToolVerdict, What};
use proptest::prelude::*;

use super::exact;
use super::office::Habit;
use super::services::{Ears, Mouth, ToolLine};
use super::silence;
use super::talks::{greeted, read_back};
use super::world::World;

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

/// What is promised of every call that is over, and whether it was kept.
pub(crate) type Promise = fn(&World) -> Result<(), String>;

/// The promise that a call played from its record is the same.
pub(crate) const RECORD: &str = "record";

/// Each by the name that it is told by.
pub(crate) const PROMISES: [(&str, Promise); 8] = [
    ("silence", nobody_waits_for_long),
    ("effects", effects_are_unique),
    ("downlink", downlink_never_stopped),
    ("prompts", prompts_are_whole),
    ("hand-over", who_accepts_is_brought_together_with_the_caller),
    ("office", the_office_is_left_as_it_was),
    ("timeline", the_timeline_is_in_order),
    (RECORD, runs_again),
];

/// What the caller is being told then is said to its end.
const BRIDGED_WITHIN_MS: u64 = 10_000;

fn holds(so: bool, else_what: impl FnOnce() -> String) -> Result<(), String> {
    if so { Ok(()) } else { Err(else_what()) }
}

fn nobody_waits_for_long(world: &World) -> Result<(), String> {
    let (from, lasting) = world.caller.dead_air();
    holds(lasting <= silence::LONGEST, || format!("{lasting:?} of dead air from {from:?}"))?;
    let longest = silence::longest(&world.entries, &world.caller.ticks);
    holds(longest.lasting <= silence::LONGEST, || format!("{longest:?} of silence"))
}

/// No act is done twice that has not failed before; no context packet is used twice.
fn effects_are_unique(world: &World) -> Result<(), String> {
    let mut settled: HashMap<&str, bool> = HashMap::new();
    let mut keys: HashMap<u32, &str> = HashMap::new();
    for entry in &world.entries {
        match &entry.what {
            What::ToolInvoked { invocation, key, .. } => {
                let done = settled.insert(key, true) == Some(true);
                holds(!done, || format!("{key} is done, and invoked again"))?;
                keys.insert(*invocation, key);
            }
            What::ToolAnswered { invocation, verdict, .. } => {
                settled.insert(keys[invocation], *verdict == ToolVerdict::Done);
            }
            _ => {}
        }
    }
    let invoked = world.count(|what| matches!(what, What::ToolInvoked { .. }));
    let done = world.invocations.len();
    holds(done == invoked, || format!("{invoked} invocations are noted, and {done} were done"))?;
    // Who has lost an agent is enqueued once more with the packet that there is.
    let packets = &world.office.packets;
    let enqueued = packets.len() - world.office.again;
    let ids: HashSet<_> = packets.iter().map(|packet| &packet.packet_id).collect();
    holds(ids.len() == enqueued, || "two requests have one packet".to_owned())?;
    let triggered = world.count(|what| matches!(what, What::EscalationTriggered { .. }));
    holds(triggered == enqueued, || format!("{triggered} escalations, {enqueued} requests"))
}

fn downlink_never_stopped(world: &World) -> Result<(), String> {
    for tick in &world.caller.ticks {
        let last = world.hung_up == Some(tick.at);
        let so = tick.packets == 1 || last;
        holds(so, || format!("{} packets at {:?}", tick.packets, tick.at))?;
    }
    let mut pairs = world.caller.ticks.windows(2);
    let gap = pairs.find(|pair| pair[1].at.since(pair[0].at) != Duration::from_millis(20));
    holds(gap.is_none(), || format!("a gap at {:?}", gap.map(|pair| pair[0].at)))
}

fn prompts_are_whole(world: &World) -> Result<(), String> {
    let mut open: HashMap<u32, &str> = HashMap::new();
    for entry in &world.entries {
        match &entry.what {
            What::PromptBegan { prompt, text } => {
                let again = open.insert(*prompt, text).is_some();
                holds(!again, || format!("prompt {prompt} began twice"))?;
            }
            What::PromptEnded { prompt, heard, unsaid, .. } => {
                let whole = format!("{heard} {unsaid}");
                let so = open.get(prompt).is_none_or(|text| whole.trim() == *text);
                holds(so, || format!("prompt {prompt} is noted as {heard:?} and {unsaid:?}"))?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Who accepts a call has the caller soon, unless one of them leaves.
fn who_accepts_is_brought_together_with_the_caller(world: &World) -> Result<(), String> {
    let mut accepted_ms = None;
    for entry in &world.entries {
        match &entry.what {
            What::AgentAccepted { .. } => accepted_ms = Some(entry.at_ms),
            What::LegParted { .. } => accepted_ms = None,
            What::Bridged { .. } => {
                let waited_ms = accepted_ms.take().map_or(0, |from_ms| entry.at_ms - from_ms);
                holds(waited_ms <= BRIDGED_WITHIN_MS, || format!("after {waited_ms} ms"))?;
            }
            _ => {}
        }
    }
    holds(accepted_ms.is_none(), || "never".to_owned())
}

/// Nobody waits there and no agent is held, each agent was given free as often as taken.
fn the_office_is_left_as_it_was(world: &World) -> Result<(), String> {
    holds(world.office.is_idle(world.now), || format!("{:?}", world.office.notes))?;
    let accepted = world.count(|what| matches!(what, What::AgentAccepted { .. }));
    let released = world.office.releases();
    holds(released == accepted, || format!("{accepted} accepted, {released} released"))
}

/// One leg of the caller's parted, nothing panicked, and there is one end, the last of it.
fn the_timeline_is_in_order(world: &World) -> Result<(), String> {
    let parted = world.count(|w| matches!(w, What::LegParted { role: LegRole::Caller, .. }));
    holds(parted == 1, || format!("the caller has parted {parted} times"))?;
    holds(!world.has(|what| matches!(what, What::Panicked)), || "it panicked".to_owned())?;
    let ended = world.count(|what| matches!(what, What::Ended { .. }));
    holds(ended == 1, || format!("it has ended {ended} times"))?;
    let last = world.entries.last().map(|entry| &entry.what);
    holds(matches!(last, Some(What::Ended { .. })), || format!("the last entry is {last:?}"))?;
    let times = world.entries.iter().map(|entry| entry.at_ms);
    holds(times.is_sorted(), || "entries are not in order".to_owned())
}

fn runs_again(world: &World) -> Result<(), String> {
    match first_difference(&exact::kept(world), &rebuilt(&exact::recorded(world))) {
        None => Ok(()),
        Some(difference) => Err(difference.to_string()),
    }
}

/// What holds of every call that is over.
pub(crate) fn keeps_its_promises(world: &World) {
    for (name, promise) in PROMISES {
        if let Err(what) = promise(world) {
            panic!("{name}: {what}\n{}", world.story());
        }
    }
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
    assert_eq!(runs_again(&world), Ok(()));
}

#[test]
fn a_call_that_never_rang_through_runs_again_too() {
    let mut world = World::ringing();
    world.leaves(cordboard::call::EndCause::Cancelled);
    world.ends(0);
    assert_eq!(runs_again(&world), Ok(()));
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
