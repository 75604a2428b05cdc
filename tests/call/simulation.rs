//! Whole calls of simulated callers, each drawn from a seed: `make sim SEED=n CALLS=m`. A call that
//! breaks a promise is told with the command that plays it again, and its timeline.
//!
//! `make sim BREAK=overlap` breaks something on purpose, so that it is seen whether it is found.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use cordboard::replay::exact::{first_difference, otherwise, summary};
use cordboard::timeline::What;

use super::exact;
use super::properties::{PROMISES, Promise, RECORD};
use super::silence;
use super::world::World;

#[path = "simulation/broken.rs"]
mod broken;
#[path = "simulation/caller.rs"]
mod caller;
#[path = "simulation/engines.rs"]
mod engines;
#[path = "simulation/floor.rs"]
mod floor;
#[path = "simulation/history.rs"]
mod history;
#[path = "simulation/sound.rs"]
mod sound;
#[path = "simulation/tally.rs"]
mod tally;

pub(crate) use broken::Broken;
use caller::Caller;
use tally::Tally;

/// Calls where nobody says how many.
const CALLS: u64 = 150;
/// Calls with something broken after which at the latest it has to be found.
const FOUND_BY: u64 = 60;
/// Timelines that are shown; of what else is broken only the commands are.
const SHOWN: usize = 5;

/// Promises without which a call was not played again to the same timeline.
const NOT_AGAIN: [&str; 2] = [RECORD, "no panic"];

/// What is promised of simulated calls beside what is of all.
const ALSO: [(&str, Promise); 3] = [
    ("floor", floor::is_left_to_the_caller),
    ("stop", floor::nothing_sounds_after_a_stop),
    ("history", history::is_what_was_heard),
];

/// A call that was played.
#[derive(Debug)]
struct Played {
    seed: u64,
    /// The promises that it broke, by name, and how.
    faults: Vec<(&'static str, String)>,
    /// Its timeline, where it broke any.
    story: String,
    tally: Tally,
}

/// Plays the call of a seed.
fn play(seed: u64, broken: Option<Broken>) -> Played {
    let mut caller = Caller::ringing(seed, broken);
    let panic = catch_unwind(AssertUnwindSafe(|| caller.calls())).err();
    let mut faults = vec![];
    if let Some(panic) = panic {
        let said = panic.downcast_ref::<String>().map_or("a panic", String::as_str);
        faults.push(("no panic", said.lines().next().unwrap_or_default().to_owned()));
    } else {
        let all = PROMISES.iter().chain(&ALSO);
        let kept = all.map(|(name, promise)| (*name, promise(&caller.world)));
        faults.extend(kept.filter_map(|(name, kept)| Some((name, kept.err()?))));
    }
    let story = if faults.is_empty() { String::new() } else { caller.world.story() };
    let tally = Tally::of(&caller.world, caller.is_real());
    // What the world itself would say of it in the end is said already.
    caller.world.entries.clear();
    caller.world.caller.ticks.clear();
    Played { seed, faults, story, tally }
}

/// Plays so many calls on all cores; gives those that broke a promise, and what went on in all.
fn play_all(first: u64, calls: u64, broken: Option<Broken>) -> (Vec<Played>, Tally) {
    let (next, found) = (AtomicU64::new(0), Mutex::new((vec![], Tally::default())));
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let nth = next.fetch_add(1, Ordering::Relaxed);
                    if nth >= calls {
                        return;
                    }
                    let played = play(first + nth, broken);
                    let mut found = found.lock().expect("nobody panics with it");
                    found.1.add(&played.tally);
                    if !played.faults.is_empty() {
                        found.0.push(played);
                    }
                }
            });
        }
    });
    let (mut faulty, tally) = found.into_inner().expect("nobody panics with it");
    faulty.sort_by_key(|played| played.seed);
    (faulty, tally)
}

fn again(seed: u64, broken: Option<Broken>) -> String {
    let broken = broken.map_or_else(String::new, |it| format!(" BREAK={}", it.names().0));
    format!("make sim SEED={seed} CALLS=1{broken}")
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn simulated_callers_are_kept_every_promise() {
    let first = setting("SEED").unwrap_or(1);
    let calls = setting("CALLS").unwrap_or(CALLS);
    let name = std::env::var("BREAK").unwrap_or_default();
    let broken = Broken::named(&name);
    assert!(name.is_empty() || broken.is_some(), "BREAK is one of {:?}", Broken::ALL);
    let (faulty, tally) = play_all(first, calls, broken);
    println!("{tally}\n{calls} calls from seed {first}: {} broke a promise", faulty.len());
    // Whoever panicked has no record to be played.
    let differs = |played: &&Played| played.faults.iter().any(|(name, _)| NOT_AGAIN.contains(name));
    let identical = calls - faulty.iter().filter(differs).count() as u64;
    let told = summary(identical as usize, calls as usize);
    println!("played again from their inputs: {told}");
    for Played { seed, faults, story, .. } in faulty.iter().take(SHOWN) {
        println!("{}\n{story}", again(*seed, broken));
        faults.iter().for_each(|(name, what)| println!("seed {seed}, {name}: {what}"));
    }
    let lines = faulty.iter().map(|played| {
        let names: Vec<&str> = played.faults.iter().map(|(name, _)| *name).collect();
        format!("{}  # {}", again(played.seed, broken), names.join(", "))
    });
    let lines: Vec<String> = lines.collect();
    assert!(faulty.is_empty(), "play again with\n{}", lines.join("\n"));
}

#[test]
fn whatever_is_broken_on_purpose_is_found_by_the_promise_that_it_breaks() {
    for broken in Broken::ALL {
        let (name, promise) = broken.names();
        let mut calls = (1..=FOUND_BY).map(|seed| play(seed, Some(broken)));
        let tells = |played: &Played| played.faults.iter().any(|(name, _)| *name == promise);
        assert!(calls.any(|played| tells(&played)), "{name} is not found by {promise}");
    }
}

/// How often something was noted in a call.
fn noted(world: &World, is_it: impl Fn(&What) -> bool) -> u64 {
    world.count(is_it) as u64
}

/// The longest silence that nobody explained, ms.
fn silence_ms(world: &World) -> u64 {
    let longest = silence::longest(&world.entries, &world.caller.ticks);
    u64::try_from(longest.lasting.as_millis()).unwrap_or(u64::MAX)
}

/// Calls that are played in worlds made of their records.
const OTHERWISE: u64 = 40;

#[test]
fn where_nothing_is_changed_a_world_made_of_the_record_gives_the_same_call() {
    let calls = setting("OTHERWISE").unwrap_or(OTHERWISE);
    let mut different = vec![];
    for seed in 1..=calls {
        let mut caller = Caller::ringing(seed, None);
        caller.calls();
        let recorded = exact::recorded(&caller.world);
        let (facts, settings) = (recorded.facts.clone(), recorded.settings.clone());
        let played = otherwise(&recorded, facts, settings, None);
        let difference = first_difference(&exact::kept(&caller.world), &played.entries);
        caller.world.entries.clear();
        caller.world.caller.ticks.clear();
        different.extend(difference.map(|difference| format!("seed {seed} {difference}")));
        // Beside what is assumed of every call.
        let assumed = played.assumptions.len();
        assert_eq!(assumed, 1, "seed {seed}: {:?}", played.assumptions);
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

/// Calls that are played with other pauses.
const OTHER_PAUSES: u64 = 12;

#[test]
fn with_other_pauses_a_recorded_call_comes_to_an_end_too() {
    for seed in 1..=OTHER_PAUSES {
        let mut caller = Caller::ringing(seed, None);
        caller.calls();
        let recorded = exact::recorded(&caller.world);
        caller.world.entries.clear();
        caller.world.caller.ticks.clear();
        for factor in [0.4, 1.8] {
            let mut settings = recorded.settings.clone();
            let pause = &mut settings.turn.pause;
            for pause in [&mut pause.yes_no, &mut pause.phrase, &mut pause.digits, &mut pause.open]
            {
                *pause = pause.mul_f32(factor);
            }
            let played = otherwise(&recorded, recorded.facts.clone(), settings, None);
            assert!(played.is_over, "seed {seed}, {factor}: {:?}", played.entries.last());
        }
    }
}
