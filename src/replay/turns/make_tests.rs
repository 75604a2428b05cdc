//! The maker, with sounds that are made here, and with the real sources where they are.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use cordboard_audio::level::level_dbov;
use cordboard_audio::read_stereo;

use super::catalogue::{Catalogue, Role, Row};
use super::draw::Draw;
use super::make::{Counts, make_of};
use super::sound::samples;
use super::*;

/// A voice of syllables: a buzz of 160 ms, then 80 ms of nearly nothing, over a quiet room.
fn voice(syllables: usize, pitch: f32, seed: u64) -> Vec<f32> {
    let mut draw = Draw::new(seed, "voice");
    let mut sound = vec![0.0; samples(300)];
    for _ in 0..syllables {
        let buzz = (0..samples(160)).map(|n| {
            let phase = n as f32 * pitch;
            (phase.sin() + (phase * 3.0).sin() + (phase * 7.0).sin()) * 0.08
        });
        sound.extend(buzz);
        sound.extend(vec![0.0; samples(80)]);
    }
    sound.extend(vec![0.0; samples(300)]);
    sound.iter().map(|sample| sample + draw.between(-1.0, 1.0) as f32 * 0.001).collect()
}

fn write(folder: &Path, path: &str, sound: &[f32]) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: 8_000,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("a file");
    for sample in sound {
        writer.write_sample((sample * 32_767.0) as i16).expect("written");
    }
    writer.finalize().expect("finished");
}

/// Sources of both halves, each of every role.
pub(super) fn sources(folder: &Path) -> Catalogue {
    let mut rows = Vec::new();
    for (half, name, pitch) in [(Half::Settings, "s", 0.11), (Half::Report, "r", 0.16)] {
        let mut row = |role, file: &str, sound: &[f32]| {
            let path = format!("{name}/{file}.wav");
            if !file.contains('{') {
                write(folder, &path, sound);
            }
            let path: &'static str = path.leak();
            rows.push(Row { half, role, path, window: None, text: Some("one two three four") });
        };
        row(Role::Turn, "turn", &voice(8, pitch, 1));
        row(Role::YesNo, "yes", &voice(2, pitch, 2));
        row(Role::Backchannel, "okay", &voice(2, pitch * 1.3, 3));
        row(Role::Hum, "hum", &voice(1, pitch * 0.9, 4));
        row(Role::Assistant, "assistant", &voice(12, pitch * 2.0, 5));
        row(Role::Babble, "babble", &voice(60, pitch * 1.7, 6));
        row(Role::Burst, "bark", &voice(1, pitch * 4.0, 7));
        row(Role::Background, "fan", &voice(60, pitch * 5.0, 8));
        let mut response = vec![0.0; 200];
        response.extend([0.8, 0.0, 0.3, -0.1]);
        row(Role::Place, "place", &response);
        row(Role::Digits(1), "{digit}_{take}", &[]);
        for digit in 0..10 {
            write(folder, &format!("{name}/{digit}_0.wav"), &voice(2, pitch + 0.01, digit));
        }
    }
    Catalogue { rows }
}

pub(super) fn made(seed: u64, each: usize) -> (tempfile::TempDir, PathBuf, Vec<Label>) {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from"), folder.path().join("to"));
    let catalogue = sources(&from);
    let counts = Counts(Kind::ALL.map(|kind| (kind, each)));
    let labels = make_of(&from, &to, seed, (catalogue, counts)).expect("material");
    (folder, to, labels)
}

/// Both sides of a recording.
fn sides(folder: &Path, file: &str) -> [Vec<f32>; 2] {
    let file = fs::File::open(folder.join(file)).expect("a recording");
    read_stereo(std::io::BufReader::new(file)).expect("two sides").0
}

fn between(sound: &[f32], from_ms: u32, to_ms: u32) -> f32 {
    level_dbov(&sound[samples(from_ms)..samples(to_ms)])
}

/// Labels lie inside their recordings, speech where they say and silence in pauses and after ends.
fn check(folder: &Path, labels: &[Label]) {
    for label in labels {
        let [uplink, downlink] = sides(folder, &label.file);
        let long_ms = (uplink.len() / 8) as u32;
        for turn in &label.turns {
            let speech = between(&uplink, turn.begin_ms, turn.end_ms);
            assert!(turn.end_ms + 3_500 < long_ms, "{label:?}");
            let after = between(&uplink, turn.end_ms + 150, turn.end_ms + 3_000);
            assert!(speech - after > 12.0, "{speech} {after} {label:?}");
            for pause in turn.pauses.iter().filter(|it| it.end_ms - it.begin_ms >= 300) {
                assert!(turn.begin_ms < pause.begin_ms && pause.end_ms < turn.end_ms, "{label:?}");
                let level = between(&uplink, pause.begin_ms + 60, pause.end_ms - 60);
                assert!(speech - level > 10.0 && level > -90.0, "{speech} {level} {label:?}");
            }
            assert!(turn.words.iter().all(|word| word.end_ms <= turn.end_ms), "{label:?}");
        }
        for event in &label.events {
            assert!(event.begin_ms < event.end_ms && event.end_ms <= long_ms + 20, "{label:?}");
            if !matches!(label.kind, Kind::Echo | Kind::EchoInterruption | Kind::Babble) {
                let before = between(&uplink, event.begin_ms - 400, event.begin_ms - 150);
                let level = between(&uplink, event.begin_ms, event.end_ms);
                assert!(level - before > 6.0, "{before} {level} {label:?}");
            }
        }
        let speaks = between(&downlink, 0, long_ms) > -35.0;
        assert_eq!(speaks, !label.kind.is_turn(), "{label:?}");
    }
}

#[test]
fn labels_lie_inside_the_recording_and_where_the_sound_is() {
    let (_keep, folder, labels) = made(7, 4);
    assert_eq!(labels.len(), 2 * 9 * 4);
    check(&folder, &labels);
    let pauses = labels.iter().flat_map(|label| &label.turns).flat_map(|turn| &turn.pauses);
    let made: Vec<u32> = pauses.filter(|it| it.made).map(|it| it.end_ms - it.begin_ms).collect();
    assert!(made.len() > 10 && made.iter().all(|ms| (290..=2_960).contains(ms)), "{made:?}");
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_another_makes_others() {
    let bytes = |seed| {
        let (_keep, folder, labels) = made(seed, 1);
        let files = labels.iter().map(|label| label.file.as_str()).chain([LABELS]);
        files.map(|file| fs::read(folder.join(file)).expect("a file")).collect::<Vec<_>>()
    };
    let first = bytes(3);
    assert_eq!(first, bytes(3));
    assert_ne!(first, bytes(4));
}

#[test]
fn digits_are_labelled_with_their_figures_groups_and_ends() {
    let (_keep, _folder, labels) = made(5, 6);
    for label in labels.iter().filter(|label| label.kind == Kind::Digits) {
        let turn = &label.turns[0];
        assert_eq!(turn.expects.as_deref(), Some(format!("digits:{}", turn.words.len()).as_str()));
        assert!(turn.words.is_sorted_by_key(|word| word.end_ms));
        assert_eq!(turn.words.last().map(|word| word.end_ms), Some(turn.end_ms));
        assert!(!turn.pauses.is_empty() && turn.pauses.iter().all(|it| it.group && it.made));
    }
}

#[test]
fn no_source_is_in_both_halves() {
    let catalogue = Catalogue::builtin();
    let of = |half| {
        let rows = catalogue.rows.iter().filter(move |row| row.half == half);
        rows.map(|row| row.path).collect::<HashSet<_>>()
    };
    assert!(of(Half::Settings).is_disjoint(&of(Half::Report)));
    let (_keep, _folder, labels) = made(1, 3);
    for label in labels {
        let own = if label.half == Half::Settings { "s/" } else { "r/" };
        assert!(label.sources.iter().all(|source| source.starts_with(own)), "{label:?}");
    }
}

#[test]
fn the_real_sources_give_material_whose_labels_hold() {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/audio");
    if !from.is_dir() {
        println!("skipped: {} is not there", from.display());
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let counts = Counts(Kind::ALL.map(|kind| (kind, 4)));
    let labels =
        make_of(&from, folder.path(), 11, (Catalogue::builtin(), counts)).expect("material");
    assert_eq!(labels.len(), 72);
    check(folder.path(), &labels);
}
