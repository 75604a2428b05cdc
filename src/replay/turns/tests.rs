//! The count, against counts by hand.

use std::fs;
use std::path::Path;

use super::make::{Counts, make_of};
use super::make_tests::{made, sources};
use super::report::{Point, TurnScore};
use super::room::{AS_SET, Said};
use super::score::{Counted, count, over_said, yields};
use super::stops::OverScore;
use super::*;
use crate::turn::{Heard, TurnSettings};

fn bench(folder: &Path) -> Bench {
    Bench {
        folder: folder.to_owned(),
        half: None,
        engines: vec![Engine::Vad, Engine::Own],
        silero: None,
        smart: PathBuf::new(),
        settings: TurnSettings::default(),
        features: None,
    }
}

/// Probabilities of speech: so many ms of voice and of silence in turn.
fn heard(stretches: &[(u32, bool)]) -> Vec<Heard> {
    let frames = stretches.iter().flat_map(|(long_ms, voiced)| {
        let probability = if *voiced { 0.95 } else { 0.01 };
        vec![Heard { probability, ..Heard::default() }; (long_ms / 20) as usize]
    });
    frames.collect()
}

#[test]
fn a_tiny_recording_scores_as_counted_by_hand() {
    // Voice from 400 to 1,400 and from 2,200 to 3,000 ms: a pause of 800 ms, then the end.
    let heard = heard(&[(400, false), (1_000, true), (800, false), (800, true), (4_000, false)]);
    let pause = PauseLabel { begin_ms: 1_400, end_ms: 2_200, made: true, group: true };
    let turn = TurnLabel {
        begin_ms: 400,
        end_ms: 3_000,
        expects: None,
        pauses: vec![pause],
        words: Vec::new(),
    };
    let bench = bench(Path::new(""));
    let with = |hangover_ms| {
        let yields = yields(&bench, (Engine::Vad, hangover_ms), (&heard, &turn), None);
        let counted = count(&turn, &yields, 7_000);
        (yields, counted)
    };
    let (hasty, counted) = with(500.0);
    assert_eq!(hasty, [1_900, 3_500]);
    assert_eq!((counted.pauses, counted.pauses_cut, counted.groups_cut), (1, 1, 1));
    assert!(counted.cut && !counted.never);
    assert_eq!(counted.dead_air_ms, 500);
    let (patient, counted) = with(900.0);
    assert_eq!(patient, [3_900]);
    assert_eq!((counted.pauses_cut, counted.cut, counted.dead_air_ms), (0, false, 900));
    let (_, counted) = with(5_000.0);
    assert_eq!((counted.never, counted.dead_air_ms), (true, 4_000));
}

#[test]
fn the_rooms_own_pause_shows_in_its_dead_air() {
    let heard = heard(&[(400, false), (1_000, true), (4_000, false)]);
    let word = |text: &str, end_ms| WordLabel { text: text.to_owned(), end_ms };
    let turn = |words| TurnLabel {
        begin_ms: 400,
        end_ms: 1_400,
        expects: Some("digits:3".to_owned()),
        pauses: Vec::new(),
        words,
    };
    let bench = bench(Path::new(""));
    let dead_air = |turn: &TurnLabel| {
        let yields = yields(&bench, (Engine::Own, AS_SET), (&heard, turn), None);
        count(turn, &yields, 5_400).dead_air_ms
    };
    let two = turn(vec![word("one", 700), word("two", 1_400)]);
    let three = turn(vec![word("one", 700), word("two", 1_000), word("three", 1_400)]);
    assert!(dead_air(&three) + 300 < dead_air(&two), "{} {}", dead_air(&three), dead_air(&two));
}

#[test]
fn an_end_that_comes_a_little_early_is_an_end_and_not_a_cut() {
    let turn = TurnLabel {
        begin_ms: 400,
        end_ms: 3_000,
        expects: None,
        pauses: Vec::new(),
        words: Vec::new(),
    };
    let early = count(&turn, &[2_800], 7_000);
    assert_eq!((early.cut, early.dead_air_ms), (false, 0));
    let elsewhere = count(&turn, &[1_000, 3_300], 7_000);
    assert_eq!((elsewhere.cut, elsewhere.pauses_cut, elsewhere.dead_air_ms), (true, 0, 300));
}

fn over(kind: Kind, begin_ms: u32, end_ms: u32) -> Label {
    let event = EventLabel {
        what: kind.name().to_owned(),
        begin_ms,
        end_ms,
        level_db: None,
        delay_ms: None,
        made: None,
    };
    Label {
        file: String::new(),
        kind,
        half: Half::Report,
        sources: Vec::new(),
        turns: Vec::new(),
        events: vec![event],
    }
}

#[test]
fn a_stop_is_false_where_nothing_asked_for_it() {
    let bench = bench(Path::new(""));
    let heard = heard(&[(1_000, false), (700, true), (2_000, false)]);
    let stops = |label: &Label| {
        let said = over_said(&bench, Engine::Vad, &heard);
        OverScore::new(Engine::Vad, label, &said)
    };
    let real = stops(&over(Kind::Interruption, 1_000, 1_700));
    assert_eq!((real.stopped_ms, real.false_stops), (Some(160), 0));
    let cough = stops(&over(Kind::Cough, 1_000, 1_700));
    assert_eq!((cough.stopped_ms, cough.false_stops), (None, 1));
    let too_soon = stops(&over(Kind::EchoInterruption, 2_000, 2_900));
    assert_eq!((too_soon.stopped_ms, too_soon.false_stops), (None, 1));
}

#[test]
fn ducks_and_stops_that_are_taken_back_are_counted() {
    let label = over(Kind::Backchannel, 1_000, 1_400);
    let said = [(1_100, Said::Ducked), (1_300, Said::Stopped), (1_900, Said::Resumed)];
    let score = OverScore::new(Engine::Own, &label, &said);
    assert_eq!((score.ducks, score.false_stops, score.resumed), (1, 1, 1));
    let label = over(Kind::Interruption, 1_000, 2_400);
    let score = OverScore::new(Engine::Own, &label, &said);
    assert_eq!((score.ducked_ms, score.stopped_ms), (Some(100), Some(300)));
}

#[test]
fn five_percent_lies_between_its_two_nearest_points() {
    let mut report = Report::default();
    for (hangover_ms, cut, dead_air_ms) in [(500.0, 8, 500), (600.0, 4, 600), (700.0, 0, 700)] {
        for turn in 0..100 {
            let counted = Counted {
                pauses: 1,
                pauses_cut: u32::from(turn < cut),
                cut: turn < cut,
                dead_air_ms,
                ..Counted::default()
            };
            report.add_turn(TurnScore::new((Engine::Vad, hangover_ms, Kind::Talk), counted));
        }
    }
    let curve = report.curve(Engine::Vad, None);
    assert_eq!(curve.len(), 3);
    let share = |point: &Point| point.pauses_cut;
    let point = Report::at_five_percent(&curve, share).expect("it crosses");
    assert!((point.mean_ms - 575.0).abs() < 1e-6 && (point.threshold - 575.0).abs() < 1e-6);
    assert_eq!(Report::at_five_percent(&curve[2..], share), None);
    assert!(report.to_string().contains("vad all"), "{report}");
    assert_eq!(report.json()["curves"][0]["points"][0]["dead_air_ms"]["p50"], 500.0);
}

#[test]
fn a_folder_is_scored_from_its_files_and_labels_survive_writing() {
    let (_keep, folder, labels) = made(2, 1);
    let features = folder.join("features.jsonl");
    let report =
        score(&Bench { features: Some(features.clone()), ..bench(&folder) }).expect("figures");
    assert_eq!(report.overs.len(), 2 * 2 * 6);
    assert_eq!(report.curve(Engine::Own, Some(Kind::YesNo)).len(), 16);
    let rows = fs::read_to_string(features).expect("rows");
    let row: serde_json::Value = serde_json::from_str(rows.lines().next().expect("a row")).unwrap();
    assert!(row["over"].is_boolean() && row["silence_ms"] == 100, "{row}");
    let lines = fs::read_to_string(folder.join(LABELS)).expect("labels");
    let read: Vec<Label> = lines.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    for (read, label) in read.iter().zip(&labels) {
        assert_eq!((&read.turns, &read.sources), (&label.turns, &label.sources));
        assert_eq!(read.events.len(), label.events.len());
    }
}

#[test]
fn each_fault_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path();
    let absent = make(&path.join("none"), &path.join("to"), 1).unwrap_err().to_string();
    assert!(absent.contains("--from"), "{absent}");
    let empty = make(path, &path.join("to"), 1).unwrap_err().to_string();
    assert!(empty.contains("--from must name") && !path.join("to").exists(), "{empty}");
    fs::write(path.join("there"), "x").expect("written");
    let full = make(path, path, 1).unwrap_err().to_string();
    assert!(full.contains("not empty"), "{full}");
    let fault = |bench: Bench| score(&bench).unwrap_err().to_string();
    assert!(fault(bench(path)).contains("--make-turns"));
    fs::write(path.join(LABELS), "{\"file\": 1}\n").expect("written");
    assert!(fault(bench(path)).contains("labels.jsonl:1 is no label"));
    let label = over(Kind::Cough, 0, 10).line();
    fs::write(path.join(LABELS), label).expect("written");
    assert!(fault(bench(path)).contains("make the material anew"));
    let settings = Some(Half::Settings);
    assert!(fault(Bench { half: settings, ..bench(path) }).contains("no recording of that half"));
    let engines = vec![Engine::Smart];
    assert!(fault(Bench { engines, ..bench(path) }).contains("cordboard models pull"));
    let folder = tempfile::tempdir().expect("a folder");
    let from = folder.path().join("from");
    let catalogue = sources(&from);
    fs::write(from.join("s/turn.wav"), "no sound").expect("written");
    let counts = Counts(Kind::ALL.map(|kind| (kind, 1)));
    let unreadable = make_of(&from, &folder.path().join("to"), 1, (catalogue, counts));
    let unreadable = unreadable.unwrap_err().to_string();
    assert!(unreadable.contains("turn.wav is no recording"), "{unreadable}");
}
