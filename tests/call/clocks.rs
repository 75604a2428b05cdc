//! Clocks that jump, machines that stand still, and ticks that come late (F15, F23).

use std::time::Duration;

use cordboard::call::{Call, CallFacts, LegEvent};
use cordboard::timeline::{LegRole, Outcome, What};

use super::handovers::bridged;
use super::handset::Tick;
use super::services::ToolLine;
use super::talks::{greeted, read_back};
use super::world::{CALLER_HZ, World, facts, settings};

fn missed(world: &World) -> Option<(u64, u64)> {
    world.entries.iter().find_map(|entry| match entry.what {
        What::TicksMissed { count, longest_ms } => Some((count, longest_ms)),
        _ => None,
    })
}

/// One packet a tick, never two, never none.
fn never_bursts(world: &World) {
    for tick in &world.caller.ticks {
        let last = world.hung_up == Some(tick.at);
        assert!(tick.packets == 1 || last, "{} packets at {:?}", tick.packets, tick.at);
    }
}

#[test]
fn a_wall_clock_that_is_wrong_by_an_hour_or_a_year_changes_no_duration() {
    let year_ms = 365 * 24 * 3_600_000;
    let right = facts().wall_unix_ms;
    let ms = |time: &What| match time {
        What::Latency { speech_ended_ms, first_sound_ms, .. } => first_sound_ms - speech_ended_ms,
        _ => 0,
    };
    let mut lengths = vec![];
    for wall_unix_ms in
        [right, right + 3_600_000, right - 3_600_000, right + year_ms, right - year_ms]
    {
        let mut world = World::ringing();
        world.fault = Some("F15 wall clock off by 0, 1 h, 1 y");
        world.replaced(Call::new(CallFacts { wall_unix_ms, ..facts() }, settings()));
        let mut world = read_back(world);
        world.says("yes");
        world.hears("anything else");
        world.run(300);
        world.says("no thank you");
        assert_eq!(world.ends(20_000).0, Outcome::Resolved);
        let ended = world.entries.last().expect("it ended").at_ms;
        lengths.push((ended, world.entries.iter().map(|entry| ms(&entry.what)).sum::<u64>()));
    }
    assert!(lengths.windows(2).all(|pair| pair[0] == pair[1]), "{lengths:?}");
}

#[test]
fn a_machine_that_sleeps_a_minute_in_a_question_goes_on_with_the_call() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F15 60 s suspended in a question");
    world.run(1_000);
    world.stands_still(60_000);
    let awake = world.now;
    world.hears("Please tell me what you are calling about");
    let spoke = world.caller.between(awake, world.now).find(|tick| tick.sounds());
    let spoke = spoke.expect("the caller is spoken to").at;
    assert!(spoke.since(awake) <= Duration::from_secs(3), "{:?}", spoke.since(awake));
    world.run(300);
    world.says("where is my order");
    world.hears("What is your order number?");
    never_bursts(&world);
    world.hangs_up();
    world.ends(0);
    let (count, longest_ms) = missed(&world).expect("they are counted");
    assert_eq!(count, 3_000);
    assert!((60_000..60_100).contains(&longest_ms), "{longest_ms}");
}

#[test]
fn a_machine_that_sleeps_a_minute_in_a_line_says_the_rest_of_it_and_nothing_twice() {
    let mut world = World::ringing();
    world.fault = Some("F15 60 s suspended in a line");
    world.connect();
    world.hears_begin("Hello, this is the automated assistant");
    world.run(1_000);
    world.stands_still(60_000);
    world.hears("Hello, this is the automated assistant of Northline Parcels.");
    never_bursts(&world);
    let began =
        |what: &What| matches!(what, What::PromptBegan { text, .. } if text.contains("Hello"));
    assert_eq!(world.count(began), 1);
    world.hears("How can I help you?");
}

#[test]
fn a_machine_that_sleeps_a_minute_while_a_tool_works_speaks_on() {
    let mut world = World::ringing();
    world.tools.push_back(ToolLine::found(3_000));
    let mut world = read_back(world);
    world.fault = Some("F15 60 s suspended while a tool works");
    world.says("yes");
    world.awaits("the tool", 5_000, |what| matches!(what, What::ToolInvoked { .. }));
    world.stands_still(60_000);
    // Its answer waits, too, and its time is up: either the answer or a person, in words.
    let awake = world.now;
    world.until("words", 4_000, |world| world.caller.between(awake, world.now).any(Tick::sounds));
    world.run(5_000);
    assert!(world.over.is_none(), "{}", world.story());
    never_bursts(&world);
}

#[test]
fn a_phone_that_sent_nothing_while_the_machine_slept_is_not_hung_up_on() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F15 60 s suspended, no packets kept");
    world.run(500);
    world.caller.muted = true;
    world.stands_still(60_000);
    world.run(200);
    world.caller.muted = false;
    world.run(2_000);
    assert!(world.over.is_none(), "{}", world.story());
    world.hears("Please tell me what you are calling about");
    world.run(300);
    world.says("where is my order");
    world.hears("What is your order number?");
}

#[test]
fn what_a_caller_said_while_the_machine_stood_still_is_not_played_to_the_agent_later() {
    for still_ms in [2_000, 10_000, 60_000] {
        let mut world = bridged();
        world.fault = Some("F15 2, 10, 60 s of stale sound at a bridge");
        world.run(2_000);
        world.caller.speak(world.now, Duration::from_millis(still_ms));
        world.stands_still(still_ms);
        // The caller is silent again: what is heard from now on is from then.
        let awake = world.now;
        world.run(3_000);
        let stale = world.agent.between(awake, world.now);
        let stale = stale.filter(|tick| tick.amplitude_of(CALLER_HZ) > 0.05).count() as u64 * 20;
        assert!(stale <= 400, "{stale} ms of {still_ms} ms");
        let from = world.now;
        world.caller.speak(world.now, Duration::from_millis(600));
        world.run(600);
        let heard = world.agent.between(from, world.now);
        let heard = heard.filter(|tick| tick.amplitude_of(CALLER_HZ) > 0.2).count();
        assert!(heard >= 15, "{heard} ticks: the agent hears the caller again");
        assert!(world.agent_line.is_some());
    }
}

#[test]
fn ticks_that_come_late_are_skipped_and_counted_and_the_talk_goes_on() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F23 100 ms lost every second");
    for _ in 0..5 {
        world.run(900);
        world.stands_still(100);
    }
    world.run(300);
    world.says("where is my order");
    world.stands_still(100);
    world.hears("What is your order number?");
    never_bursts(&world);
    world.hangs_up();
    world.ends(0);
    assert_eq!(missed(&world), Some((30, 120)));
}

#[test]
fn a_pause_of_two_seconds_in_a_turn_loses_no_call() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F23 2 s of pause in the caller's turn");
    world.run(300);
    world.script.push("where is my order", 0.95);
    world.utters(600);
    world.stands_still(2_000);
    world.hears("What is your order number?");
    never_bursts(&world);
}

#[test]
fn a_call_without_a_late_tick_has_no_entry_of_it() {
    let mut world = greeted(World::ringing());
    world.caller_event(LegEvent::Held);
    world.run(2_000);
    world.caller_event(LegEvent::Resumed);
    world.hangs_up();
    world.ends(0);
    assert_eq!(missed(&world), None);
    let parted = |what: &What| matches!(what, What::LegParted { role: LegRole::Caller, .. });
    assert!(world.has(parted));
}
