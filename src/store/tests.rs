//! The spool under torn tails, damage, rotation and a full disk.

use std::fs::{self, OpenOptions};
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::record::{Body, Record};
use super::segment::{self, Position};
use super::spool::{Limits, Recovered, Spool};
use super::{is_call_id, reader};
use crate::timeline::{CallId, Entry, LegKind, Outcome, What};

fn call(number: u32) -> CallId {
    CallId(format!("01JD000000000000000000{number:04}"))
}

fn rang() -> What {
    What::Rang {
        from: "sip:caller@127.0.0.1".into(),
        to: "sip:parcel@127.0.0.1".into(),
        leg: LegKind::Phone,
        wall_unix_ms: 1_700_000_000_000,
        build: "0.1.0".into(),
        flow: "parcel".into(),
        flow_version: "f".into(),
        seed: 1,
    }
}

fn ended() -> What {
    What::Ended { outcome: Outcome::Resolved, cause: "bye".into() }
}

fn entry(number: u32, at_ms: u64, what: What) -> Body {
    Body::Entry { call: call(number), entry: Entry { v: 1, at_ms, what } }
}

fn open(folder: &Path) -> (Spool, Recovered) {
    Spool::open(folder, Limits::default()).unwrap()
}

/// All records but the lists of live calls, in order.
fn read_all(folder: &Path, end: Position) -> (Vec<Record>, usize) {
    let (mut records, mut damaged, mut from) = (Vec::new(), 0, Position::default());
    loop {
        let batch = reader::batch(folder, from, end, 7).unwrap();
        damaged += batch.damaged.len();
        assert_eq!(batch.unknown, 0);
        records.extend(batch.records.into_iter().filter(|r| !matches!(r.body, Body::Live(_))));
        if batch.next == from {
            return (records, damaged);
        }
        from = batch.next;
    }
}

fn what_of(record: &Record) -> &What {
    match &record.body {
        Body::Entry { entry, .. } => &entry.what,
        other => panic!("{other:?}"),
    }
}

fn segment_path(folder: &Path, number: u64) -> std::path::PathBuf {
    segment::path(folder, number)
}

/// A spool of one segment with entries of one live call, and the place behind each.
fn written(folder: &Path, entries: u32) -> Vec<u64> {
    let (mut spool, _) = open(folder);
    let mut ends = vec![spool.end().offset];
    for number in 0..entries {
        let what = if number == 0 { rang() } else { What::Answered };
        assert!(spool.push(entry(1, u64::from(number) * 20, what)));
        spool.write().unwrap();
        ends.push(spool.end().offset);
    }
    ends
}

#[test]
fn a_tail_torn_at_any_byte_loses_the_torn_record_alone_and_breaks_the_call_off() {
    let whole = TempDir::new().unwrap();
    let ends = written(whole.path(), 4);
    let bytes = fs::read(segment_path(whole.path(), 1)).unwrap();
    for cut in usize::try_from(ends[0]).unwrap()..=bytes.len() {
        let folder = TempDir::new().unwrap();
        fs::write(segment_path(folder.path(), 1), &bytes[..cut]).unwrap();
        let kept = ends[1..].iter().filter(|end| **end <= cut as u64).count();

        let (spool, recovered) = open(folder.path());
        let (records, damaged) = read_all(folder.path(), spool.end());

        assert_eq!(damaged, 0, "cut at {cut}");
        assert_eq!(recovered.torn_bytes, cut as u64 - ends[kept], "cut at {cut}");
        assert_eq!(recovered.broken_off, usize::from(kept > 0), "cut at {cut}");
        assert_eq!(records.len(), kept + usize::from(kept > 0), "cut at {cut}");
        if let Some(Record { body: Body::Entry { entry, .. }, .. }) = records.last() {
            let is_broken_off = matches!(
                &entry.what,
                What::Ended { outcome: Outcome::BrokenOff, cause } if cause == "the process died"
            );
            assert!(is_broken_off, "{entry:?}");
            assert_eq!(entry.at_ms, (kept as u64 - 1) * 20, "the time of its last entry");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn damage_anywhere_costs_no_more_than_the_records_it_lies_in(
        at in 0.0..1.0_f64,
        length in 1..40_usize,
        with in any::<u8>(),
    ) {
        let folder = TempDir::new().unwrap();
        let ends = written(folder.path(), 20);
        let path = segment_path(folder.path(), 1);
        let mut bytes = fs::read(&path).unwrap();
        let first = usize::try_from(ends[0]).unwrap();
        let begin = first + ((bytes.len() - first) as f64 * at) as usize;
        let end = (begin + length).min(bytes.len());
        let before = bytes.clone();
        bytes[begin..end].iter_mut().for_each(|byte| *byte = with);
        fs::write(&path, &bytes).unwrap();

        let touched = ends.windows(2).filter(|record| {
            let record = usize::try_from(record[0]).unwrap()..usize::try_from(record[1]).unwrap();
            bytes[record.clone()] != before[record]
        }).count();
        let all = Position { segment: 1, offset: bytes.len() as u64 };
        let (records, damaged) = read_all(folder.path(), all);
        prop_assert_eq!(records.len(), 20 - touched);
        prop_assert_eq!(damaged > 0, touched > 0);
    }
}

#[test]
fn damage_in_the_middle_is_counted_at_the_next_start_and_costs_one_record() {
    let folder = TempDir::new().unwrap();
    let ends = written(folder.path(), 4);
    let path = segment_path(folder.path(), 1);
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(ends[2]).unwrap() + 20] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let (spool, recovered) = open(folder.path());
    assert_eq!(recovered, Recovered { broken_off: 1, torn_bytes: 0, damaged: 1 });
    let (records, damaged) = read_all(folder.path(), spool.end());
    assert_eq!((records.len(), damaged), (4, 1));
}

#[test]
fn damage_longer_than_what_is_read_at_once_hides_nothing_behind_it() {
    let folder = TempDir::new().unwrap();
    let ends = written(folder.path(), 4);
    let path = segment_path(folder.path(), 1);
    let bytes = fs::read(&path).unwrap();
    let (head, tail) = bytes.split_at(usize::try_from(ends[2]).unwrap());
    let chunk = 2 << 20;
    for garbage in [1, chunk / 2, chunk - head.len() - 9, chunk - 1, chunk, chunk + 1, 3 * chunk] {
        let bytes = [head, &vec![0xa5; garbage], tail].concat();
        fs::write(&path, &bytes).unwrap();
        let end = Position { segment: 1, offset: bytes.len() as u64 };
        let (records, damaged) = read_all(folder.path(), end);
        assert_eq!((records.len(), damaged), (4, 1), "{garbage} bytes of garbage");
    }
}

#[test]
fn a_spool_of_many_stretches_is_read_whole() {
    let folder = TempDir::new().unwrap();
    let (mut spool, _) = open(folder.path());
    for number in 0..60 {
        let text = "x".repeat(100_000 + usize::try_from(number).unwrap() * 1_013);
        spool.push(entry(1, number, What::MessageTaken { text }));
        spool.write().unwrap();
    }
    let (records, damaged) = read_all(folder.path(), spool.end());
    assert_eq!((records.len(), damaged), (60, 0));
}

#[test]
fn calls_that_ended_are_not_broken_off_and_numbers_grow_over_restarts() {
    let folder = TempDir::new().unwrap();
    for round in 0..3 {
        let (mut spool, recovered) = open(folder.path());
        assert_eq!(recovered.broken_off, usize::from(round > 0));
        spool.push(entry(2 * round, 0, rang()));
        spool.push(entry(2 * round + 1, 0, rang()));
        spool.push(entry(2 * round + 1, 40, ended()));
        assert_eq!(spool.live_calls(), 1);
        spool.write().unwrap();
    }
    let (spool, _) = open(folder.path());
    let (records, _) = read_all(folder.path(), spool.end());
    assert_eq!(records.len(), 3 * 4);
    assert!(records.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    let (_, recovered) = open(folder.path());
    assert_eq!(recovered.broken_off, 0, "a call is broken off once");
}

#[test]
fn a_call_that_spans_segments_is_known_at_the_start_from_the_last_segment_alone() {
    let folder = TempDir::new().unwrap();
    let limits = Limits { segment_bytes: 600, ..Limits::default() };
    let (mut spool, _) = Spool::open(folder.path(), limits).unwrap();
    spool.push(entry(1, 0, rang()));
    for number in 0..50 {
        spool.push(entry(1, number * 20, What::Answered));
        spool.write().unwrap();
    }
    let end = spool.end();
    assert!(end.segment > 3, "{end:?}");
    assert_eq!(read_all(folder.path(), end).0.len(), 51);
    drop(spool);
    for number in 1..end.segment {
        fs::remove_file(segment_path(folder.path(), number)).unwrap();
    }
    let (_, recovered) = Spool::open(folder.path(), limits).unwrap();
    assert_eq!(recovered.broken_off, 1);
}

#[test]
fn a_segment_whose_list_is_damaged_is_read_with_the_one_before() {
    let folder = TempDir::new().unwrap();
    written(folder.path(), 2);
    let (mut spool, _) = open(folder.path());
    spool.push(entry(2, 0, rang()));
    spool.write().unwrap();
    let path = segment_path(folder.path(), 2);
    let mut bytes = fs::read(&path).unwrap();
    bytes[20] ^= 1;
    fs::write(&path, bytes).unwrap();
    let (_, recovered) = open(folder.path());
    assert_eq!(recovered.broken_off, 1, "call 2 alone: call 1 was ended in segment 2");
    assert_eq!(recovered.damaged, 1);
}

#[test]
fn what_a_full_disk_refuses_is_kept_and_written_when_there_is_room() {
    let folder = TempDir::new().unwrap();
    let limits = Limits { unwritten_bytes: 4_000, ..Limits::default() };
    let (mut spool, _) = Spool::open(folder.path(), limits).unwrap();
    spool.push(entry(1, 0, rang()));
    spool.write().unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let real = spool.replace_file(full);
    let mut taken = 0;
    for number in 0..100 {
        taken += u32::from(spool.push(entry(1, number * 20, What::Answered)));
        assert!(spool.write().is_err());
    }
    assert!((10..100).contains(&taken), "{taken}: bounded, and some fit");
    assert!(spool.unwritten_bytes() <= 4_000);
    spool.replace_file(real);
    spool.write().unwrap();
    let (records, damaged) = read_all(folder.path(), spool.end());
    assert_eq!((records.len(), damaged), (1 + taken as usize, 0));
}

#[test]
fn a_part_that_a_failed_write_left_is_written_over() {
    let folder = TempDir::new().unwrap();
    let (mut spool, _) = open(folder.path());
    spool.push(entry(1, 0, rang()));
    spool.write().unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let real = spool.replace_file(full);
    spool.push(entry(1, 20, What::Answered));
    assert!(spool.write().is_err());
    std::io::Write::write_all(&mut &real, b"{\"seq\": a half").unwrap();
    spool.replace_file(real);
    spool.write().unwrap();
    let (records, damaged) = read_all(folder.path(), spool.end());
    assert_eq!(damaged, 0);
    assert!(matches!(records.last().map(what_of), Some(What::Answered)));
}

#[test]
fn a_spool_whose_folder_was_taken_away_is_put_back_with_all_that_is_in_it() {
    let parent = TempDir::new().unwrap();
    let folder = parent.path().join("data/spool");
    let (mut spool, _) = open(&folder);
    spool.push(entry(1, 0, rang()));
    spool.write().unwrap();
    assert!(!spool.mend().unwrap());
    fs::remove_dir_all(parent.path().join("data")).unwrap();
    // A file where the folder was: nothing can be put back yet.
    fs::write(parent.path().join("data"), "").unwrap();
    spool.push(entry(1, 20, What::Answered));
    spool.write().unwrap();
    assert!(spool.mend().is_err());
    spool.push(entry(1, 40, What::Answered));
    assert!(spool.write().is_err(), "what would be lost waits in memory");
    fs::remove_file(parent.path().join("data")).unwrap();
    assert!(spool.mend().unwrap());
    spool.push(entry(1, 60, ended()));
    spool.write().unwrap();
    spool.sync().unwrap();
    drop(spool);
    let (spool, recovered) = open(&folder);
    assert_eq!(recovered, Recovered::default());
    assert_eq!(read_all(&folder, spool.end()).0.len(), 4);
}

#[test]
fn entries_of_another_version_are_kept_as_they_are_and_end_nothing() {
    let folder = TempDir::new().unwrap();
    let (mut spool, _) = open(folder.path());
    spool.push(entry(1, 0, rang()));
    spool.write().unwrap();
    let (end, seq) = (spool.end(), (1_u64 << 32) + 2);
    drop(spool);
    let json = r#"{"at_ms":40,"confidence":0.8,"v":9,"what":"dreamt"}"#;
    let text = format!(r#"{{"seq":{seq},"call":"{}","entry":{json}}}"#, call(1));
    let mut frame = vec![0; 8];
    frame.extend_from_slice(text.as_bytes());
    super::record::seal(&mut frame);
    let file = OpenOptions::new().append(true).open(segment_path(folder.path(), 1)).unwrap();
    std::io::Write::write_all(&mut &file, &frame).unwrap();

    let (spool, recovered) = open(folder.path());
    assert_eq!(recovered, Recovered { broken_off: 1, torn_bytes: 0, damaged: 0 });
    let batch = reader::batch(folder.path(), end, spool.end(), 9).unwrap();
    assert_eq!((batch.unknown, batch.damaged.len()), (1, 0));
    let Body::Foreign(foreign) = &batch.records[0].body else { panic!("{batch:?}") };
    assert_eq!((foreign.at_ms, foreign.what.as_str(), foreign.json.as_str()), (40, "dreamt", json));
    let batch = reader::batch(folder.path(), batch.next, spool.end(), 9).unwrap();
    let ends = |record: &Record| {
        matches!(&record.body, Body::Entry { entry: Entry { at_ms: 40, what, .. }, .. }
            if matches!(what, What::Ended { .. }))
    };
    assert!(batch.records.iter().any(ends), "the call broke off at its last entry: {batch:?}");
}

#[test]
fn old_segments_go_and_the_retained_stay() {
    let folder = TempDir::new().unwrap();
    for _ in 0..6 {
        open(folder.path());
    }
    assert_eq!(segment::delete_before(folder.path(), 6, 2).unwrap(), 3);
    assert_eq!(segment::numbers(folder.path()).unwrap(), [4, 5, 6]);
}

#[test]
fn only_a_ulid_in_its_one_spelling_is_a_name_of_a_call() {
    assert!(is_call_id("01JD0000000000000000000001"));
    for name in [
        "",
        "01jd0000000000000000000001",
        "01JD000000000000000000000",
        "01JD00000000000000000000001",
        "../../../../../etc/passwd",
        "01JD00000000000000000000/1",
        "ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "01JD000000000000000000000O",
    ] {
        assert!(!is_call_id(name), "{name}");
    }
}
