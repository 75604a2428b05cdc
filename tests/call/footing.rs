//! Sound that flows one way only, a hold without end, and the signalling on the timeline.

use std::time::Duration;

use cordboard::call::{CallSettings, LegEvent};
use cordboard::timeline::{Direction, LegRole, OneWayCause, Outcome, What};

use super::handovers::bridged;
use super::talks::greeted;
use super::world::{World, settings};

fn one_way(world: &World, wanted: LegRole, of: OneWayCause) -> usize {
    world.count(
        |what| matches!(what, What::OneWay { role, cause, .. } if *role == wanted && *cause == of),
    )
}

#[test]
fn one_way_sound_is_noted_within_five_seconds_and_the_media_offered_once_more() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F20 one-way audio");
    for times in 1..=2 {
        world.caller.muted = true;
        world.run(4_000);
        assert_eq!(one_way(&world, LegRole::Caller, OneWayCause::Nothing), times - 1);
        world.run(1_000);
        assert_eq!(one_way(&world, LegRole::Caller, OneWayCause::Nothing), times);
        assert_eq!(world.renegotiated, 1, "once is enough");
        world.caller.muted = false;
        world.run(1_000);
    }
    world.run(20_000);
    assert_eq!(one_way(&world, LegRole::Caller, OneWayCause::Nothing), 2, "{}", world.story());
}

#[test]
fn a_codec_that_was_not_agreed_on_is_called_so() {
    let mut world = greeted(World::ringing());
    world.fault = Some("F20 wrong-codec RTP");
    world.caller.muted = true;
    for total in 1..=100 {
        world.caller_event(LegEvent::Garbage { total });
        world.run(50);
    }
    assert_eq!(one_way(&world, LegRole::Caller, OneWayCause::NotAgreed), 1, "{}", world.story());
    assert_eq!(world.renegotiated, 1);
}

#[test]
fn an_agent_who_cannot_be_heard_is_noted_and_offered_the_media_once_more() {
    let mut world = bridged();
    world.fault = Some("F20 one-way audio from the agent");
    world.agent.muted = true;
    world.run(5_000);
    assert_eq!(one_way(&world, LegRole::Agent, OneWayCause::Nothing), 1, "{}", world.story());
    assert_eq!(world.renegotiated, 1);
    assert!(world.agent_line.is_some());
}

#[test]
fn a_hold_without_end_ends() {
    let short = CallSettings { hold_end: Duration::from_secs(120), ..settings() };
    let mut world = greeted(World::set_up(vec![], short));
    world.fault = Some("F20 hold without resume");
    world.caller_event(LegEvent::Held);
    world.caller.muted = true;
    world.run(119_000);
    assert!(world.over.is_none(), "{}", world.story());
    assert_eq!(world.ends(2_000), (Outcome::Abandoned, "held too long".to_owned()));
    assert_eq!(one_way(&world, LegRole::Caller, OneWayCause::Nothing), 0, "a hold is no fault");
}

#[test]
fn a_hold_that_ends_in_time_counts_from_anew() {
    let short = CallSettings { hold_end: Duration::from_secs(60), ..settings() };
    let mut world = greeted(World::set_up(vec![], short));
    for _ in 0..3 {
        world.caller_event(LegEvent::Held);
        world.run(40_000);
        world.caller_event(LegEvent::Resumed);
        world.run(200);
    }
    assert!(world.over.is_none(), "{}", world.story());
}

#[test]
fn signalling_is_on_the_timeline() {
    let mut world = greeted(World::ringing());
    let summary = "BYE, 2 BYE".to_owned();
    world.caller_event(LegEvent::Signalled { sent: false, summary: summary.clone() });
    let entry = What::Sip { role: LegRole::Caller, direction: Direction::Received, summary };
    assert!(world.has(|what| *what == entry), "{}", world.story());
}
