//! What the network and the shell do to a call: no media, hold, no ACK, a stop.

use std::time::Duration;

use cordboard::call::{
    CallSettings, EndCause, Input, LegEvent, MediaPacket, STILL_THERE, STOPPING,
};
use cordboard::timeline::{LegRole, Outcome, What};
use cordboard_audio::codec::Codec;

use super::handovers::{asking_in, bridged};
use super::office::Habit;
use super::services::ToolLine;
use super::talks::{greeted, read_back};
use super::world::{World, settings};

#[test]
fn a_caller_from_whom_nothing_comes_is_asked_and_then_hung_up_on() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F19 no RTP from the caller");
    world.caller.muted = true;
    let silent_since = world.now;
    world.hears_begin(STILL_THERE);
    let asked = world.now.since(silent_since);
    // The question after a caller's silence may stand before it.
    assert!((10..14).contains(&asked.as_secs()), "{asked:?}");
    // Keys keep the conversation from giving up a caller who says nothing.
    while world.over.is_none() && world.now.since(silent_since) < Duration::from_secs(40) {
        world.keys("*");
        world.run(2_000);
    }
    assert_eq!(world.ends(1_000), (Outcome::Failed, "no media".to_owned()));
    let lasted = world.now.since(silent_since);
    assert!((30..33).contains(&lasted.as_secs()), "{lasted:?}");
    let asked = |what: &What| matches!(what, What::PromptBegan { text, .. } if text == STILL_THERE);
    assert_eq!(world.count(asked), 1, "{}", world.story());
}

#[test]
fn media_that_comes_back_is_asked_about_anew_when_it_stops_again() {
    let mut world = greeted(World::ringing());
    for _ in 0..2 {
        world.caller.muted = true;
        world.hears(STILL_THERE);
        world.caller.muted = false;
        world.run(300);
        world.says("help");
        world.hears("You can also say, a person.");
    }
}

#[test]
fn a_caller_who_holds_us_is_neither_asked_nor_hung_up_on() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F20 caller holds for 90 s");
    world.caller_event(LegEvent::Held);
    world.caller.muted = true;
    world.run(90_000);
    assert!(world.over.is_none(), "{}", world.story());
    assert!(!world.heard().contains(STILL_THERE));
    assert!(!world.has(|what| matches!(what, What::Silence { .. })), "{}", world.story());
    world.caller.muted = false;
    world.caller_event(LegEvent::Resumed);
    world.run(300);
    world.says("where is my order");
    world.hears("What is your order number?");
}

/// A phone that detects voice sends one packet of comfort noise and then nothing, until its owner
/// speaks: who listens is not gone. One that has vanished meanwhile does not stay for ever.
#[test]
fn a_caller_whose_phone_announces_its_silence_may_listen_until_the_limit_of_a_hold() {
    let silences = [
        LegEvent::Comfort { sequence: 9, payload: &[40] },
        LegEvent::Packet(MediaPacket {
            sequence: 9,
            timestamp: 9,
            marker: false,
            ssrc: 9,
            codec: Codec::Opus,
            payload: &[0x08],
        }),
    ];
    for (number, silence) in silences.into_iter().enumerate() {
        let settings = CallSettings { hold_end: Duration::from_secs(80), ..settings() };
        let staff = vec![("ada", vec![Habit::keys('1')])];
        let mut world = asking_in(World::set_up(staff, settings));
        world.awaits("the bridge", 40_000, |what| matches!(what, What::Bridged { .. }));
        world.run(1_000);
        world.caller.muted = true;
        world.caller_event(silence);
        world.run(79_000);
        assert!(world.over.is_none(), "{number}: {}", world.story());
        assert!(!world.has(|what| matches!(what, What::OneWay { .. })), "{}", world.story());
        assert_eq!(world.ends(10_000).1, "no media");
    }
}

#[test]
fn an_agent_whose_phone_announces_its_silence_is_not_lost() {
    let mut world = bridged();
    world.agent.muted = true;
    world.agent_event(LegEvent::Comfort { sequence: 9, payload: &[40] });
    world.run(60_000);
    assert!(!world.has(|what| matches!(what, What::LegParted { .. })), "{}", world.story());
    // It speaks, and then nothing comes that was not announced.
    world.agent.muted = false;
    world.run(100);
    world.agent.muted = true;
    let parted = |what: &What| matches!(what, What::LegParted { role: LegRole::Agent, .. });
    world.awaits("its end", 31_000, parted);
}

#[test]
fn a_caller_who_gives_up_while_it_rings_leaves_an_ended_call() {
    let mut world = World::ringing();
    world.leaves(EndCause::Cancelled);
    let (outcome, cause) = world.ends(0);
    assert_eq!((outcome, cause.as_str()), (Outcome::Abandoned, "cancelled"));
}

#[test]
fn a_bye_before_the_ack_ends_the_call() {
    let mut world = World::ringing();
    world.caller_event(LegEvent::Offered);
    world.run(200);
    world.hangs_up();
    assert_eq!(world.ends(0), (Outcome::Abandoned, "bye".to_owned()));
    assert!(!world.has(|what| matches!(what, What::Answered | What::PromptBegan { .. })));
}

#[test]
fn an_answer_that_is_never_acknowledged_is_a_failed_call() {
    for cause in [EndCause::NoAck, EndCause::Lost] {
        let mut world = World::ringing();
        world.fault = Some("F19 no ACK");
        world.caller_event(LegEvent::Offered);
        world.run(32_000);
        world.leaves(cause);
        assert_eq!(world.ends(0), (Outcome::Failed, cause.words()));
    }
}

#[test]
fn silence_is_sent_from_the_answer_on_and_nothing_is_said_before_the_ack() {
    let mut world = World::ringing();
    world.caller_event(LegEvent::Offered);
    world.run(1_000);
    assert_eq!(world.caller.ticks.len(), 50);
    assert!(world.caller.ticks.iter().all(|tick| tick.packets == 1 && !tick.sounds()));
}

#[test]
fn a_stop_says_goodbye_and_ends() {
    let mut world = greeted(World::ringing());
    world.says("where is my order");
    world.hears_begin("What is your order number?");
    world.run(200);
    world.give(Input::Stop);
    world.hears(STOPPING);
    let (_, cause) = world.ends(1_000);
    assert_eq!(cause, "shutdown");
    assert!(world.hung_up.is_some());
}

#[test]
fn a_stop_ends_a_call_wherever_it_is() {
    let mut world = World::ringing();
    world.give(Input::Stop);
    assert_eq!(world.ends(0).1, "shutdown");
    assert!(world.hung_up.is_some(), "the far end is told");

    let mut world = World::ringing();
    world.caller_event(LegEvent::Offered);
    world.give(Input::Stop);
    assert_eq!(world.ends(0).1, "shutdown");

    // In the queue: nobody is to be offered to a call that is gone.
    let mut world = greeted(World::staffed(vec![("ada", vec![])]));
    world.keys("0");
    world.awaits("the queue", 5_000, |what| matches!(what, What::Enqueued { .. }));
    world.give(Input::Stop);
    world.ends(10_000);
    assert_eq!(world.office.withdrawals, 1);
    assert!(world.office.is_idle(world.now));
}

#[test]
fn a_stop_is_not_undone_by_a_tool_that_fails() {
    let mut world = World::ringing();
    world.tools.extend([ToolLine::fails(1_500), ToolLine::fails(100)]);
    let mut world = read_back(world);
    world.says("yes");
    world.awaits("the tool", 5_000, |what| matches!(what, What::ToolInvoked { .. }));
    world.give(Input::Stop);
    assert_eq!(world.ends(9_000).1, "shutdown");
    assert_eq!(world.invocations.len(), 1, "nothing new is begun after the goodbye");
    assert!(!world.has(|what| matches!(what, What::EscalationTriggered { .. })));
}

#[test]
fn keys_and_hold_after_the_end_of_the_leg_are_not_on_the_timeline() {
    let mut world = World::ringing();
    world.tools.push_back(ToolLine::found(4_000));
    let mut world = read_back(world);
    world.says("yes");
    world.awaits("the tool", 5_000, |what| matches!(what, What::ToolInvoked { .. }));
    world.hangs_up();
    world.caller_event(LegEvent::Digit { digit: '1', duration_ms: 100 });
    world.caller_event(LegEvent::Held);
    world.ends(10_000);
    let late =
        |what: &What| matches!(what, What::Keyed { .. } | What::Held { role: LegRole::Caller });
    assert!(!world.has(late), "{}", world.story());
}
