//! The recording: nothing before it was announced, everything from then on, both sides.

use std::time::Duration;

use cordboard::call::{CallSettings, Input};
use cordboard::timeline::What;

use super::handovers::asking_in;
use super::office::Habit;
use super::services::Mouth;
use super::talks::greeted;
use super::world::{World, settings};

fn recording() -> World {
    World::set_up(vec![], CallSettings { record: true, ..settings() })
}

fn begins(what: &What) -> bool {
    matches!(what, What::RecordingBegan)
}

#[test]
fn it_begins_when_it_has_been_announced_and_has_every_tick() {
    let mut world = greeted(recording());
    world.says("goodbye");
    world.ends(20_000);
    let began = world.time_of(begins);
    let announced = world.time_of(|what| matches!(what, What::PromptEnded { .. }));
    assert_eq!(began, announced);
    let length = |what: &What| matches!(what, What::RecordingEnded { complete: true, .. });
    assert_eq!(world.count(length), 1);
    let ended = world.time_of(length);
    assert_eq!(world.recorded.len() as u128 * 20, ended.since(began).as_millis());
    let loud = |side: &[i16; 160]| side.iter().any(|sample| sample.abs() > 1_000);
    assert!(world.recorded.iter().any(|tick| loud(&tick.left)), "the caller");
    assert!(world.recorded.iter().any(|tick| loud(&tick.right)), "the assistant");
}

#[test]
fn it_keeps_time_where_ticks_did_not_come() {
    let mut world = greeted(recording());
    for _ in 0..5 {
        world.run(900);
        world.stands_still(100);
    }
    world.stands_still(1_200);
    world.run(300);
    world.says("goodbye");
    world.ends(30_000);
    let (began, ended) =
        (world.time_of(begins), world.time_of(|what| matches!(what, What::RecordingEnded { .. })));
    assert_eq!(world.recorded.len() as u128 * 20, ended.since(began).as_millis());
}

#[test]
fn the_bridge_is_recorded_too() {
    let staff = vec![("ada", vec![Habit::keys('1')])];
    let world = World::set_up(staff, CallSettings { record: true, ..settings() });
    let mut world = asking_in(world);
    world.awaits("the bridge", 40_000, |what| matches!(what, What::Bridged { .. }));
    let before = world.recorded.len();
    world.run(200);
    world.agent.speak(world.now, Duration::from_millis(500));
    world.run(800);
    let loud = |side: &[i16; 160]| side.iter().any(|sample| sample.abs() > 4_000);
    assert!(world.recorded[before..].iter().any(|tick| loud(&tick.right)), "the agent");
}

#[test]
fn what_was_not_announced_is_not_recorded() {
    let mut world = recording();
    world.mouth = Mouth::RefuseOnly { what: "may be recorded" };
    let mut world = greeted(world);
    world.says("goodbye");
    world.ends(20_000);
    assert!(!world.has(begins) && world.recorded.is_empty(), "{}", world.story());

    let mut world = recording();
    world.connect();
    world.hears_begin("This call may be recorded.");
    world.run(300);
    world.give(Input::Stop);
    world.ends(20_000);
    assert!(!world.has(begins) && world.recorded.is_empty(), "{}", world.story());
}

#[test]
fn nothing_is_recorded_where_the_settings_say_so() {
    let mut world = greeted(World::ringing());
    world.hangs_up();
    world.ends(0);
    assert!(!world.has(begins) && world.recorded.is_empty());
}
