//! Recorded calls, played again from what the store has kept of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use std::collections::BTreeMap;

use cordboard::call::{CallFacts, CallSettings};
use cordboard::conversation::Flow;
use cordboard::replay::exact::{
    ExactFault, Flows, Otherwise, Recorded, differences, first_difference, kept_timeline,
    otherwise, rebuilt,
};
use cordboard::replay::record;
use cordboard::store::{InputRecord, Store, StoreOptions, calls_with_inputs, inputs_of};
use cordboard::timeline::{CallId, Entry, What};
use cordboard_models::scripted::ScriptedSynthesizer;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::office::Habit;
use super::talks::{greeted, read_back};
use super::world::{World, facts, settings};

/// Longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);
/// A name that a call can have.
const NAME: &str = "01JD0000000000000000000007";

/// The call of a world as its record would have it.
pub(crate) fn recorded(world: &World) -> Recorded {
    static FLOWS: LazyLock<Mutex<Flows>> = LazyLock::new(Mutex::default);
    let (facts, settings) = &world.rung;
    let input = |(at, kind, bytes): &(_, u8, Vec<u8>)| InputRecord {
        at: *at,
        kind: *kind,
        bytes: bytes.clone(),
    };
    let inputs = world.tape.iter().map(input).collect();
    let mut flows = FLOWS.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let read = Recorded::of(&record::header(facts, settings), inputs, &mut flows);
    read.expect("what was written can be read")
}

/// The timeline of a world as the store would have it.
pub(crate) fn kept(world: &World) -> Vec<String> {
    let json = |entry: &Entry| serde_json::to_string(entry).expect("entries are data");
    world.entries.iter().map(json).collect()
}

/// Facts of a call that a store keeps.
fn named() -> CallFacts {
    CallFacts { id: CallId(NAME.to_owned()), ..facts() }
}

/// A caller who asks for an order and then for a person, and is put through.
fn talked(settings: CallSettings) -> World {
    let mut world = read_back(World::of(named(), vec![("ada", vec![Habit::keys('1')])], settings));
    world.says("yes");
    world.hears("anything else");
    world.run(300);
    world.says("i want to speak to a person");
    world.awaits("the bridge", 40_000, |what| matches!(what, What::Bridged { .. }));
    world.keys("5");
    world.run(1_000);
    world.hangs_up();
    world.ends(10_000);
    world
}

fn options(folder: &Path) -> StoreOptions {
    let folder = folder.to_owned();
    StoreOptions { folder, recording: false, keep_inputs: true, retain_segments: 2 }
}

/// Keeps a call in a store, its inputs whole or not, so many of its entries; gives its record.
async fn stored(folder: &Path, world: &World, is_whole: bool, entries: usize) -> PathBuf {
    let store = Store::open(options(folder)).await.expect("a folder of ours");
    let stop = CancellationToken::new();
    let projection = tokio::spawn(store.clone().project(stop.clone()));
    let (facts, settings) = &world.rung;
    let call = &facts.id;
    let begun = store.inputs(call, || record::header(facts, settings));
    let mut inputs = begun.expect("inputs are kept");
    for (at, kind, bytes) in &world.tape {
        inputs.write(*at, *kind, bytes);
    }
    match is_whole {
        true => assert!(inputs.finish(), "all inputs were taken"),
        false => drop(inputs),
    }
    world.entries.iter().take(entries).for_each(|entry| store.append(call, entry));
    assert!(store.flush(PATIENCE));
    stop.cancel();
    projection.await.expect("it does not panic");
    let kept = calls_with_inputs(folder).expect("a folder of ours");
    assert_eq!(kept, std::slice::from_ref(call));
    inputs_of(folder, call).expect("a name that a call can have")
}

fn read(path: &Path) -> Result<Recorded, ExactFault> {
    Recorded::read(path, &mut Flows::default())
}

fn refused(path: &Path) -> String {
    read(path).expect_err("it is refused").to_string()
}

#[tokio::test]
async fn a_whole_call_is_rebuilt_from_its_files_byte_for_byte() {
    let (folder, world) = (TempDir::new().expect("a folder"), talked(settings()));
    let path = stored(folder.path(), &world, true, usize::MAX).await;
    let recorded = read(&path).expect("it is whole");
    let kept = kept_timeline(folder.path(), &recorded.facts.id).await.expect("it is there");
    assert!(kept.len() > 40);
    assert_eq!(kept, super::exact::kept(&world), "the store keeps what the call said");
    assert_eq!(first_difference(&kept, &rebuilt(&recorded)), None);
}

#[tokio::test]
async fn what_was_kept_otherwise_is_told_with_the_entry() {
    let (folder, mut world) = (TempDir::new().expect("a folder"), greeted(World::ringing()));
    world.hangs_up();
    world.ends(0);
    let mut kept = kept(&world);
    kept[3] = kept[3].replace("at_ms\":", "at_ms\":1");
    let path = stored(folder.path(), world_named(&mut world), true, usize::MAX).await;
    let again = rebuilt(&read(&path).expect("it is whole"));
    let difference = first_difference(&kept, &again).expect("one was changed");
    assert_eq!(difference.entry, 4);
}

/// The same under a name that a store keeps.
fn world_named(world: &mut World) -> &World {
    world.rung.0 = named();
    world
}

#[tokio::test]
async fn records_that_break_off_are_damaged_or_of_another_form_are_refused_with_what_to_do() {
    let (folder, mut world) = (TempDir::new().expect("a folder"), greeted(World::ringing()));
    world.hangs_up();
    world.ends(0);
    let path = stored(folder.path(), world_named(&mut world), false, 3).await;
    let inputs = world.tape.len();
    let said = refused(&path);
    assert!(said.contains(&format!("breaks off after {inputs} inputs")), "{said}");
    assert!(said.contains("cannot be played"), "{said}");
    let unended = kept_timeline(folder.path(), &CallId(NAME.to_owned())).await;
    let said = unended.expect_err("it has no end").to_string();
    assert!(said.contains("does not end") && said.contains("try again"), "{said}");

    let bytes = fs::read(&path).expect("it is there");
    let mut damaged = bytes.clone();
    let middle = bytes.len() / 2;
    damaged[middle] ^= 4;
    fs::write(&path, &damaged).expect("a file of ours");
    let said = refused(&path);
    assert!(said.contains("is damaged at byte") && said.contains("from a copy"), "{said}");

    fs::write(&path, &bytes[..4]).expect("a file of ours");
    let said = refused(&path);
    assert!(said.contains("is no record of inputs") && said.contains("name a file"), "{said}");

    fs::remove_file(&path).expect("a file of ours");
    let said = refused(&path);
    assert!(said.contains("no inputs of this call are kept"), "{said}");
    assert!(said.contains("store.keep_inputs"), "{said}");
}

#[tokio::test]
async fn a_record_of_the_first_form_is_refused_with_what_to_do() {
    let folder = TempDir::new().expect("a folder");
    let store = Store::open(options(folder.path())).await.expect("a folder of ours");
    let call = CallId(NAME.to_owned());
    let inputs = store.inputs(&call, || vec![1, 5, b'0', b'.', b'1', b'.', b'0']);
    assert!(inputs.expect("inputs are kept").finish());
    assert!(store.flush(PATIENCE));
    let said = refused(&store.inputs_path(&call).expect("a good name"));
    assert!(said.contains("of form 1") && said.contains("cannot be played"), "{said}");
}

#[tokio::test]
async fn a_timeline_that_is_not_there_is_told_with_where_it_was_looked_for() {
    let (folder, mut world) = (TempDir::new().expect("a folder"), greeted(World::ringing()));
    world.hangs_up();
    world.ends(0);
    let call = CallId(NAME.to_owned());
    let none = kept_timeline(folder.path(), &call).await.expect_err("no database").to_string();
    assert!(none.contains("cannot be read") && none.contains("--config"), "{none}");
    stored(folder.path(), world_named(&mut world), true, 0).await;
    let none = kept_timeline(folder.path(), &call).await.expect_err("no timeline").to_string();
    assert!(none.contains("has no timeline of 01JD") && none.contains("--config"), "{none}");
}

/// What would have happened in a world's call, and what differs.
fn would_be(
    world: &World,
    change: impl FnOnce(&mut CallFacts, &mut CallSettings),
) -> (Otherwise, Vec<String>) {
    let recorded = recorded(world);
    let (mut facts, mut settings) = (recorded.facts.clone(), recorded.settings.clone());
    change(&mut facts, &mut settings);
    let would_be = otherwise(&recorded, facts, settings, Some(&mut ScriptedSynthesizer));
    assert!(would_be.is_over);
    let found = differences(&rebuilt(&recorded), &would_be.entries);
    (would_be, found)
}

#[test]
fn nothing_differs_where_nothing_is_changed() {
    let (would_be, found) = would_be(&talked(settings()), |_, _| {});
    assert_eq!(found, Vec::<String>::new());
    let always = "the caller speaks, keys and hangs up as recorded, whatever is said";
    assert_eq!(would_be.assumptions, [always]);
}

#[test]
fn a_shorter_pause_takes_the_turns_earlier_by_as_much_and_a_longer_one_later() {
    let world = talked(settings());
    for (yes_no, phrase, way) in [(200, 300, "earlier"), (900, 1_500, "later")] {
        let (_, found) = would_be(&world, |_, settings| {
            settings.turn.pause.yes_no = Duration::from_millis(yes_no);
            settings.turn.pause.phrase = Duration::from_millis(phrase);
        });
        let turns: Vec<&String> = found.iter().filter(|line| line.starts_with("turn ")).collect();
        assert!(!turns.is_empty(), "{found:?}");
        let of = |text: &str| found.iter().find(|line| line.contains(text)).expect(text);
        let shift = if way == "earlier" { 200 } else { 500 };
        let yes = of("\"yes\"");
        assert!(yes.contains(&format!("taken {shift} ms {way}")), "{yes}");
    }
}

#[test]
fn a_longer_pause_merges_the_parts_of_a_number() {
    let mut world = greeted(World::ringing());
    world.says("where is my order");
    world.hears("What is your order number?");
    world.run(400);
    world.says("one two three");
    world.run(1_900);
    world.says("four five six");
    world.run(6_000);
    world.hangs_up();
    world.ends(10_000);
    let (would_be, found) = would_be(&world, |_, settings| {
        settings.turn.pause.digits = Duration::from_millis(2_400);
    });
    let merged = found.iter().find(|line| line.contains("merged into"));
    let merged = merged.unwrap_or_else(|| panic!("{found:#?}\n{}", world.story()));
    assert!(merged.contains("\"one two three four five six\""), "{merged}");
    let why = "a turn that was cut or merged has the words that were heard in its stretch";
    assert!(would_be.assumptions.iter().any(|it| it == why), "{:?}", would_be.assumptions);
    let read_back = found.iter().any(|line| line.starts_with("said + \"Order 1 2 3 4 5 6."));
    assert!(read_back, "{found:#?}");
}

#[test]
fn another_flow_says_other_lines_and_what_was_never_spoken_is_named() {
    let world = talked(settings());
    let (would_be, found) = would_be(&world, |facts, _| {
        let text = facts.flow.text().replace("What is your order number?", "Which order?");
        let flow = Flow::parse(&text, "other.yaml", &BTreeMap::new());
        facts.flow = std::sync::Arc::new(flow.expect("it is good still"));
    });
    assert!(
        found.contains(&"said - \"What is your order number? It has six digits.\"".to_owned()),
        "{found:#?}"
    );
    assert!(found.contains(&"said + \"Which order? It has six digits.\"".to_owned()), "{found:#?}");
    let spoken = "the line \"Which order? It has six digits.\" was never spoken: the local voice \
                  speaks it";
    assert!(would_be.assumptions.iter().any(|it| it == spoken), "{:?}", would_be.assumptions);
}

#[test]
fn a_call_that_would_last_longer_goes_on_with_a_silent_caller_and_ends() {
    let mut world = greeted(World::ringing());
    world.run(1_000);
    world.give(cordboard::call::Input::Stop);
    world.ends(20_000);
    let mut recorded = recorded(&world);
    let place = |input: &InputRecord| {
        let decoded = record::decode(input.kind, &input.bytes);
        matches!(decoded, Ok(cordboard::call::Input::Stop))
    };
    recorded.inputs.retain(|input| !place(input));
    let (facts, settings) = (recorded.facts.clone(), recorded.settings.clone());
    let would_be = otherwise(&recorded, facts, settings, None);
    assert!(would_be.is_over, "{:?}", would_be.entries.last());
    let silent = "after the end of the record the caller is silent, and waits";
    assert!(would_be.assumptions.iter().any(|it| it == silent), "{:?}", would_be.assumptions);
}
