//! When a caller's turn ends, by what its sound is judged to be.

use cordboard::timeline::What;

use super::services::Judge;
use super::talks::greeted;
use super::world::World;

/// From the caller's last voice to the verdict on the words, ms, with such a judge by sound.
fn pause_with(sound_judge: Option<(u64, f32)>) -> u64 {
    let mut world = World::ringing();
    world.sound_judge = sound_judge;
    let mut world = greeted(world);
    world.says("where's my order");
    let what = world.awaits("a turn", 4_000, |what| matches!(what, What::CallerSpoke { .. }));
    let What::CallerSpoke { ended_ms, .. } = what else { panic!("{what:?}") };
    let spoke = world.time_of(|what| matches!(what, What::CallerSpoke { .. }));
    world.hears("What is your order number?");
    spoke.as_millis() - ended_ms
}

#[test]
fn a_turn_that_sounds_over_is_answered_sooner_and_a_judge_that_is_late_or_away_costs_nothing() {
    let usual = pause_with(None);
    assert!(pause_with(Some((100, 0.95))) + 200 <= usual, "{usual}");
    assert_eq!(pause_with(Some((100, 0.4))), usual, "it does not know");
    assert_eq!(pause_with(Some((3_000, 0.95))), usual, "it is late");
}

#[test]
fn a_partial_without_words_makes_nobody_wait_for_the_rest_of_them() {
    let pause = |partial_words| {
        let mut world = greeted(World::ringing());
        world.judge = Judge::Says(0.05);
        world.partial_words = partial_words;
        world.says("where's my order");
        world.hears("What is your order number?");
        let yielded = |what: &What| match what {
            What::Latency { speech_ended_ms, turn_ended_ms, .. } => {
                Some(turn_ended_ms - speech_ended_ms)
            }
            _ => None,
        };
        world.entries.iter().rev().find_map(|entry| yielded(&entry.what)).expect("it was answered")
    };
    // A turn ends with a frame; its last voice is known to 10 ms.
    assert_eq!((pause(1), pause(0)), (2_510, 710));
}

#[test]
fn a_judgement_of_a_pause_that_is_over_is_not_taken_for_the_next() {
    let mut world = World::ringing();
    world.sound_judge = Some((500, 0.95));
    let mut world = greeted(world);
    world.utters(400);
    world.run(200);
    world.says("where's my order");
    world.hears("What is your order number?");
    assert_eq!(world.count(|what| matches!(what, What::CallerSpoke { .. })), 1);
}
