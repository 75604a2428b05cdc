//! What goes on when the service itself fails a call: it stood still, or the call panicked.

use std::time::Duration;

use cordboard::call::{CallSettings, RESCUED, STOPPING};
use cordboard::timeline::{Outcome, What};

use super::office::Habit;
use super::talks::greeted;
use super::world::{World, settings};

/// Lets another call take the place of the one that is under way, as the shell does after a panic.
fn panic(world: &mut World) {
    world.call = world.call.rescued(world.now).expect("there is a caller to be spoken to");
    world.run(20);
}

#[test]
fn a_stall_is_on_the_timeline_once_and_what_was_recorded_over_it_is_not_whole() {
    let mut world = greeted(World::set_up(vec![], CallSettings { record: true, ..settings() }));
    world.now = world.now + Duration::from_secs(2);
    world.run(1_000);
    let stalled = |what: &What| matches!(what, What::Stalled { for_ms: 2_000..=2_020 });
    assert_eq!(world.count(stalled), 1, "{}", world.story());
    // 100 packets were not sent in a burst.
    let packets: Vec<u32> = world.caller.ticks.iter().map(|tick| tick.packets).collect();
    assert!(packets.iter().all(|packets| *packets <= 1), "{packets:?}");
    world.says("goodbye");
    world.ends(20_000);
    assert!(world.has(|what| matches!(what, What::RecordingEnded { complete: false, .. })));
}

#[test]
fn a_caller_whose_call_panicked_hears_an_apology_and_is_handed_to_a_human() {
    let mut world = greeted(World::staffed(vec![("ada", vec![Habit::keys('1')])]));
    world.says("where is my order");
    world.hears_begin("What is your order number?");
    panic(&mut world);
    world.hears(RESCUED);
    world.awaits("the bridge", 40_000, |what| matches!(what, What::Bridged { .. }));
    assert_eq!(world.count(|what| matches!(what, What::Rang { .. })), 1);
    let dead = world.caller.dead_air();
    eprintln!("panic | breakdowns | apology, then a human | {}", dead.1.as_millis());
    assert!(dead.1 <= Duration::from_secs(3), "{dead:?}");
    world.hangs_up();
    assert_eq!(world.ends(10_000).0, Outcome::HandedOver);
}

#[test]
fn where_no_human_comes_a_panicked_call_ends_with_a_goodbye_and_nothing_of_the_old_talk() {
    let mut world = greeted(World::ringing());
    world.says("where is my order");
    world.hears_begin("What is your order number?");
    panic(&mut world);
    world.hears(RESCUED);
    world.hears(STOPPING);
    assert_eq!(world.ends(20_000), (Outcome::Failed, "panic".to_owned()));
    assert!(world.call.rescued(world.now).is_none(), "nobody is there any more");
}

#[test]
fn a_second_panic_is_not_rescued_again() {
    let mut world = greeted(World::ringing());
    panic(&mut world);
    assert!(world.call.rescued(world.now).is_none());
}
