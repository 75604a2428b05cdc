//! Recordings and records of inputs.

use std::fs;
use std::time::Duration;

use cordboard::store::{InputRecord, InputsFault, Recorded, Store, StoreOptions, read_inputs};
use cordboard::timeline::CallId;
use cordboard_audio::MediaTime;
use proptest::prelude::*;
use tempfile::TempDir;

use crate::support::{call, eventually, options};

const PATIENCE: Duration = Duration::from_secs(60);

fn samples(path: &std::path::Path) -> Vec<i16> {
    hound::WavReader::open(path).unwrap().samples().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_recording_is_a_valid_wav_in_the_middle_of_a_call_and_whole_at_its_end() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(options(folder.path())).await.unwrap();
    let mut recorder = store.recorder(&call(1)).unwrap();
    let (path, _) = store.recording(&call(1)).unwrap();
    for frame in 0..55_i16 {
        recorder.write(&[frame; 160], &[-frame; 160]);
    }
    // The header is refreshed each second by itself.
    let mid_call = eventually("the header counts what has come", async || {
        let bytes = fs::read(&path).ok().filter(|bytes| bytes.len() > 44)?;
        let counted = u32::from_le_bytes(bytes[40..44].try_into().unwrap());
        // Five pieces of 200 ms.
        (counted >= 50 * 640).then_some(samples(&path))
    })
    .await;
    assert_eq!(mid_call.len(), 50 * 320, "the rest is no whole piece");
    assert_eq!(mid_call[49 * 320..49 * 320 + 2], [49, -49]);
    assert!(!store.recording(&call(1)).unwrap().1, "not whole yet");

    let recorded = recorder.finish();
    assert_eq!(recorded, Recorded { length_ms: 1_100, complete: true });
    assert!(store.flush(PATIENCE));
    assert_eq!(samples(&path).len(), 55 * 320);
    assert!(store.recording(&call(1)).unwrap().1, "whole");
}

#[tokio::test]
async fn a_recorder_that_is_dropped_leaves_a_recording_marked_incomplete() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(options(folder.path())).await.unwrap();
    let mut recorder = store.recorder(&call(1)).unwrap();
    recorder.write(&[3; 160], &[4; 160]);
    drop(recorder);
    assert!(store.flush(PATIENCE));
    let (path, is_complete) = store.recording(&call(1)).unwrap();
    assert!(!is_complete);
    assert_eq!(samples(&path)[..4], [3, 4, 3, 4]);
}

#[tokio::test]
async fn nothing_is_recorded_unless_wanted_and_nothing_under_a_strange_name() {
    let folder = TempDir::new().unwrap();
    let wanted = StoreOptions { recording: false, keep_inputs: false, ..options(folder.path()) };
    let store = Store::open(wanted).await.unwrap();
    assert!(store.recorder(&call(1)).is_none());
    assert!(store.inputs(&call(1), || b"".to_vec()).is_none());
    let other = TempDir::new().unwrap();
    let store = Store::open(options(other.path())).await.unwrap();
    let strange = CallId("../../evil".into());
    assert!(store.recorder(&strange).is_none());
    assert!(store.inputs(&strange, || b"".to_vec()).is_none());
    assert!(store.recording(&strange).is_none());
}

async fn written(store: &Store, records: &[InputRecord]) -> std::path::PathBuf {
    let mut inputs = store.inputs(&call(1), || b"seed and build".to_vec()).unwrap();
    for record in records {
        inputs.write(record.at, record.kind, &record.bytes);
    }
    assert!(inputs.finish());
    assert!(store.flush(PATIENCE));
    store.inputs_path(&call(1)).unwrap()
}

fn records(count: u64) -> Vec<InputRecord> {
    (0..count)
        .map(|number| InputRecord {
            at: MediaTime::from_millis(number * 20),
            kind: (number % 5) as u8,
            bytes: vec![number as u8; (number % 200) as usize],
        })
        .collect()
}

#[tokio::test]
async fn inputs_are_read_as_they_were_written() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(options(folder.path())).await.unwrap();
    let records = records(3_000);
    let path = written(&store, &records).await;
    let inputs = read_inputs(&path).unwrap();
    assert_eq!(inputs.header, b"seed and build");
    assert!(inputs.complete);
    assert!(inputs.records == records);
}

#[tokio::test]
async fn inputs_cut_anywhere_give_what_is_whole_and_say_that_it_is_not_all() {
    let folder = TempDir::new().unwrap();
    let store = Store::open(options(folder.path())).await.unwrap();
    let records = records(40);
    let path = written(&store, &records).await;
    let bytes = fs::read(&path).unwrap();
    let cut_file = folder.path().join("cut.bin");
    for cut in 0..bytes.len() {
        fs::write(&cut_file, &bytes[..cut]).unwrap();
        match read_inputs(&cut_file) {
            Ok(inputs) => {
                assert!(!inputs.complete, "cut at {cut}");
                assert!(records.starts_with(&inputs.records), "cut at {cut}");
            }
            Err(fault) => {
                assert!(matches!(fault, InputsFault::Unsupported { .. }));
                assert!(cut < 8 + 8 + b"seed and build".len(), "cut at {cut}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_flipped_bit_in_the_inputs_is_noticed(at in 0.0..1.0_f64, bit in 0..8_u8) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let folder = TempDir::new().unwrap();
            let store = Store::open(options(folder.path())).await.unwrap();
            let records = records(10);
            let path = written(&store, &records).await;
            let mut bytes = fs::read(&path).unwrap();
            let place = (bytes.len() as f64 * at) as usize;
            bytes[place] ^= 1 << bit;
            fs::write(&path, bytes).unwrap();
            if let Ok(inputs) = read_inputs(&path) {
                assert!(!inputs.complete);
                assert!(records.starts_with(&inputs.records));
            }
        });
    }
}
