//! What is written is read; what was flushed survives.

use std::io::Cursor;

use super::*;
use crate::MediaTime;

fn frame(value: f32) -> Frame {
    let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    frame.samples_mut().fill(value);
    frame
}

#[test]
fn left_and_right_are_where_they_belong() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = StereoWriter::new(&mut file, SampleRate::NARROW).unwrap();
    writer.write(&frame(0.5), &frame(-0.25)).unwrap();
    writer.finish().unwrap();
    let samples: Vec<i16> =
        WavReader::new(&file.get_ref()[..]).unwrap().into_samples().map(Result::unwrap).collect();
    assert_eq!(samples.len(), 320);
    assert_eq!(samples[..4], [16_384, -8_192, 16_384, -8_192]);
    let (mono, rate) = read_mono(&file.get_ref()[..]).unwrap();
    assert_eq!((mono.len(), rate), (160, SampleRate::NARROW));
    assert!(mono.iter().all(|sample| *sample == 0.125));
}

#[test]
fn what_was_flushed_is_a_file_even_if_never_finished() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = StereoWriter::new(&mut file, SampleRate::NARROW).unwrap();
    for _ in 0..50 {
        writer.write(&frame(0.5), &frame(0.5)).unwrap();
    }
    writer.flush().unwrap();
    writer.write(&frame(0.1), &frame(0.1)).unwrap();
    std::mem::forget(writer);
    let (mono, _) = read_mono(&file.get_ref()[..]).unwrap();
    assert_eq!(mono.len(), 8_000);
}

#[test]
fn a_frame_of_another_rate_is_refused() {
    let mut writer = StereoWriter::new(Cursor::new(Vec::new()), SampleRate::WIDE).unwrap();
    let refused = writer.write(&frame(0.0), &frame(0.0)).unwrap_err();
    assert_eq!(refused.to_string(), "frame has 8000 Hz, file has 16000 Hz");
}

#[test]
fn other_rates_become_sixteen_kilohertz() {
    let mut file = Cursor::new(Vec::new());
    let spec = WavSpec {
        channels: 1,
        sample_rate: 22_050,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut writer = WavWriter::new(&mut file, spec).unwrap();
    for n in 0..22_050 {
        writer.write_sample((n as f32 * 0.05).sin() * 0.5).unwrap();
    }
    writer.finalize().unwrap();
    let (samples, rate) = read_mono(&file.get_ref()[..]).unwrap();
    assert_eq!((samples.len(), rate), (16_000, SampleRate::WIDE));
}

#[test]
fn garbage_is_an_error_that_says_so() {
    let refused = read_mono(&b"ID3 not a wave file at all"[..]).unwrap_err();
    assert!(refused.to_string().starts_with("wav not read: "), "{refused}");
}

#[test]
fn human_recordings_are_read_where_they_are() {
    let root = std::env::var("CORDBOARD_SHARED").unwrap_or_else(|_| "../../shared".into());
    let folder = std::path::Path::new(&root).join("data/audio/asr8k");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("no recordings at {}: nothing read", folder.display());
        return;
    };
    let paths = entries.flatten().map(|entry| entry.path());
    let wavs = paths.filter(|path| path.extension().is_some_and(|end| end == "wav"));
    for path in wavs.take(20) {
        let (samples, rate) = read_mono(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(rate, SampleRate::NARROW, "{}", path.display());
        assert!(crate::level::level_dbov(&samples) > -60.0, "{} is silent", path.display());
    }
}

#[test]
fn both_sides_of_a_recording_come_back_each_by_itself() {
    let mut file = Cursor::new(Vec::new());
    let mut writer = StereoWriter::new(&mut file, SampleRate::NARROW).expect("a header");
    let mut left = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    let mut right = left;
    left.samples_mut().fill(0.25);
    right.samples_mut().fill(-0.5);
    writer.write(&left, &right).expect("written");
    writer.finish().expect("finished");
    let (sides, rate) = read_stereo(file.get_ref().as_slice()).expect("read");
    assert_eq!(rate, SampleRate::NARROW);
    assert_eq!(sides, [vec![0.25; 160], vec![-0.5; 160]]);
}
