//! Lines that lose, delay and reorder, and streams that begin anew: a conversation by keys, which
//! travel among the sound as telephone events (F08, F09, F20).

use cordboard::timeline::{Outcome, Verified, What};

use super::network::Line;
use super::talks::greeted;
use super::world::World;

/// Calls on each line; each has six keys of its own.
const CALLS: u64 = 8;

/// A call over such a line, up to the keys.
fn asked(line: Line) -> World {
    let mut world = World::ringing();
    world.line = Some(line);
    let mut world = greeted(world);
    world.run(300);
    world.says("where is my order");
    world.hears("What is your order number?");
    world.run(400);
    world
}

fn keyed(world: &World) -> usize {
    world.count(|what| matches!(what, What::Keyed { .. }))
}

#[test]
fn up_to_ten_percent_of_loss_with_jitter_no_key_is_lost() {
    for (loss, jitter_ms) in [(5, 40), (10, 60)] {
        for seed in 0..CALLS {
            let mut world = asked(Line::new(loss, jitter_ms, seed));
            world.fault = (seed == 0).then_some("F08 5 and 10 % of loss, 40 and 60 ms of jitter");
            world.presses("123456");
            world.hears("out for delivery");
            let number = What::SlotFilled {
                slot: "order_number".to_owned(),
                value: "123456".to_owned(),
                verified: Verified::Keyed,
            };
            assert!(world.has(|what| *what == number), "{loss} % {seed}\n{}", world.story());
            assert_eq!(keyed(&world), 6);
            assert!(world.line.as_ref().is_some_and(|line| line.lost > 0));
            world.hears("anything else");
            world.run(300);
            world.says("no");
            assert_eq!(world.ends(20_000).0, Outcome::Resolved);
        }
    }
}

#[test]
fn at_twenty_and_thirty_percent_of_loss_the_call_lives_and_hardly_a_key_is_lost() {
    for (loss, most_lost) in [(20, 0), (30, 1)] {
        let mut lost = 0;
        for seed in 0..CALLS {
            let mut world = asked(Line::new(loss, 80, seed));
            world.fault = (seed == 0).then_some("F08 20 and 30 % of loss, 80 ms of jitter");
            world.presses("123456");
            lost += 6 - keyed(&world).min(6);
            // Where a key is missing the caller is asked again, and keys again.
            world.run(6_000);
            assert!(world.over.is_none(), "{loss} % {seed}\n{}", world.story());
            assert!(world.now > world.time_of(|what| matches!(what, What::Keyed { .. })));
            world.hangs_up();
            world.ends(40_000);
        }
        assert!(lost <= most_lost, "{lost} of {} keys at {loss} %", 6 * CALLS);
    }
}

#[test]
fn a_stream_that_begins_anew_in_the_middle_of_the_call_is_heard_on() {
    let mut world = asked(Line::new(0, 0, 1));
    world.fault = Some("F20 another SSRC, sequence and timestamp");
    if let Some(line) = world.line.as_mut() {
        line.changes_source(99);
    }
    world.presses("123");
    if let Some(line) = world.line.as_mut() {
        line.changes_source(5);
    }
    world.presses("456");
    world.hears("out for delivery");
    assert_eq!(keyed(&world), 6, "{}", world.story());
    world.hears("anything else");
    world.run(300);
    if let Some(line) = world.line.as_mut() {
        line.changes_source(7);
    }
    world.says("no");
    assert_eq!(world.ends(20_000).0, Outcome::Resolved);
}

#[test]
fn a_stream_that_begins_anew_in_the_middle_of_a_word_does_not_end_the_turn() {
    let mut world = asked(Line::new(0, 0, 1));
    world.fault = Some("F20 another SSRC in a turn");
    world.script.push("one two three four five six", 0.95);
    world.utters(700);
    if let Some(line) = world.line.as_mut() {
        line.changes_source(99);
    }
    world.utters(700);
    world.hears("Order 1 2 3 4 5 6. Is that right?");
    let turns = world.count(|what| matches!(what, What::CallerSpoke { .. }));
    assert_eq!(turns, 2, "{}", world.story());
}
