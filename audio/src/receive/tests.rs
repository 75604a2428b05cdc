//! Whole streams through the receiver: any ptime, loss, late networks, pauses, drift.

use proptest::prelude::*;

use super::*;
use crate::{Encoder, SampleRate};

/// A stream of a sine at this ptime; `arrival` gives the arrival of packet n in ms, if it comes.
struct Run {
    receiver: Receiver,
    sound: Vec<f32>,
    pulled: Vec<Pulled>,
}

fn run(ptime: u64, length_ms: u64, loud: f32, arrival: impl Fn(u64) -> Option<u64>) -> Run {
    let samples = 8 * ptime as usize;
    let payload_of = |n: u64| {
        let wave: Vec<f32> =
            (0..samples).map(|k| loud * ((n as usize * samples + k) as f32 * 0.3).sin()).collect();
        let mut payload = vec![0; samples];
        Encoder::new(Codec::Pcmu).encode_into(&wave, &mut payload);
        payload
    };
    let mut arrivals: Vec<_> =
        (0..length_ms / ptime).filter_map(|n| arrival(n).map(|at| (at, n))).collect();
    arrivals.sort_unstable();
    let mut arrivals = arrivals.into_iter().peekable();
    let mut out = Run { receiver: Receiver::new(Codec::Pcmu), sound: vec![], pulled: vec![] };
    let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    for now in (0..length_ms).step_by(20) {
        while let Some((at, n)) = arrivals.next_if(|(at, _)| *at <= now) {
            out.receiver.insert(Packet {
                sequence: (n as u16).wrapping_sub(20),
                timestamp: (n as u32 * samples as u32).wrapping_sub(9_000),
                marker: n == 0,
                payload: &payload_of(n),
                arrived: MediaTime::from_millis(at),
            });
        }
        out.pulled.push(out.receiver.pull_into(MediaTime::from_millis(now), &mut frame));
        out.sound.extend_from_slice(frame.samples());
    }
    out
}

fn count(run: &Run, what: Pulled) -> usize {
    run.pulled.iter().filter(|pulled| **pulled == what).count()
}

#[test]
fn every_ptime_comes_out_as_the_sine_it_was() {
    for ptime in [10, 20, 30, 40, 60] {
        let run = run(ptime, 3_000, 0.5, |n| Some((n + 1) * ptime));
        let begin = run.sound.iter().position(|sample| sample.abs() > 0.01).unwrap();
        let steepest = run.sound[begin..].windows(2).map(|w| (w[1] - w[0]).abs());
        assert!(steepest.fold(0.0, f32::max) < 0.17, "ptime {ptime} has a click");
        assert_eq!(count(&run, Pulled::Concealed), 0, "ptime {ptime}");
        assert!(count(&run, Pulled::Idle) <= 6, "ptime {ptime}: {:?}", run.pulled);
    }
}

#[test]
fn five_percent_of_loss_is_concealed_and_counted() {
    let run = run(20, 10_000, 0.5, |n| (n % 20 != 7).then_some(20 * n));
    assert_eq!(run.receiver.counters().lost, 25);
    assert_eq!(run.receiver.concealed(), Duration::from_millis(25 * 20));
    // What is made up may lie across two frames.
    assert!((25..=50).contains(&count(&run, Pulled::Concealed)));
    let quietest = run.sound[800..].chunks(160).map(level_dbov).fold(0.0, f32::min);
    assert!(quietest > -14.0, "a frame of {quietest} dBov among frames of -9");
}

#[test]
fn a_sender_that_stops_is_concealed_for_sixty_ms_and_then_idle() {
    let run = run(20, 3_000, 0.5, |n| (n < 50).then_some(20 * n));
    assert!((3..=4).contains(&count(&run, Pulled::Concealed)));
    // Sixty, and what fills the frame in which they end.
    assert!((60..80).contains(&run.receiver.concealed().as_millis()));
    assert_eq!(*run.pulled.last().unwrap(), Pulled::Idle);
    assert!(run.sound[16_000..].iter().all(|sample| *sample == 0.0));
}

#[test]
fn delay_that_a_late_network_added_is_taken_back_in_pauses_and_in_speech() {
    // From 2 s to 2.16 s nothing comes, then all of it.
    let late = |n: u64| Some(if (100..108).contains(&n) { 2_160 } else { 20 * n });
    let delay_ms = |run: &Run| run.receiver.jitter().depth().as_millis();
    let speech = run(20, 20_000, 0.5, late);
    let pause = run(20, 20_000, 0.001, late);
    assert!(delay_ms(&speech) <= 80, "{} ms", delay_ms(&speech));
    assert!(delay_ms(&pause) <= 80, "{} ms", delay_ms(&pause));
    assert_eq!(pause.receiver.counters().lost, 0);
    // Where periods were left out, the hum of 0.001 goes on without a click.
    let steps = pause.sound[17_600..].windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let steepest = steps.fold(0.0, f32::max);
    assert!(steepest < 0.0008, "{steepest}");
}

#[test]
fn a_network_that_gets_uneven_is_waited_for() {
    // From 2 s on one packet in twenty comes 80 ms late, after its successors.
    let uneven = |n: u64| Some(20 * n + if n > 100 && n.is_multiple_of(20) { 80 } else { 0 });
    let speech = run(20, 20_000, 0.5, uneven).receiver.counters();
    let pause = run(20, 20_000, 0.0005, uneven).receiver.counters();
    assert!(speech.late <= 12, "{speech:?}");
    assert!(pause.late <= 12, "{pause:?}");
}

#[test]
fn clocks_that_differ_neither_starve_nor_flood() {
    // 1,000 ppm: the sender's 20 ms are 19.98 or 20.02 of ours.
    for ppm in [-1_000_i64, 1_000] {
        let run = run(20, 60_000, 0.0005, |n| {
            Some((20 * n as i64 * (1_000_000 + ppm) / 1_000_000) as u64)
        });
        let depth = run.receiver.jitter().depth();
        assert!(depth <= Duration::from_millis(100), "{ppm} ppm: {depth:?}");
        assert!(count(&run, Pulled::Concealed) <= 4, "{ppm} ppm");
    }
}

#[test]
fn another_codec_begins_anew_and_the_same_does_not() {
    let mut run = run(20, 1_000, 0.5, |n| (n != 7).then_some(20 * n));
    let concealed = run.receiver.concealed();
    run.receiver.set_codec(Codec::Pcmu);
    assert!(run.receiver.counters().played > 0);
    run.receiver.set_codec(Codec::Pcma);
    assert_eq!(run.receiver.codec(), Codec::Pcma);
    assert_eq!(run.receiver.counters().lost, 1);
    assert_eq!(run.receiver.concealed(), concealed);
    run.receiver.reset();
    let mut frame = Frame::silence(MediaTime::ZERO, SampleRate::NARROW);
    assert_eq!(run.receiver.pull_into(MediaTime::from_millis(1_000), &mut frame), Pulled::Idle);
}

proptest! {
    #[test]
    fn no_network_makes_it_louder_than_it_was_or_loses_count(
        fates in prop::collection::vec((0_u64..250, 0_u8..12), 150),
        ptime in prop::sample::select(vec![10_u64, 20, 30, 40, 60]),
    ) {
        let run = run(ptime, 3_000, 0.5, |n| {
            let (delay, fate) = fates[n as usize % fates.len()];
            (fate > 0).then_some(n * ptime + if fate > 8 { delay } else { delay / 10 })
        });
        prop_assert!(run.sound.iter().all(|sample| sample.abs() < 0.8));
        let counters = run.receiver.counters();
        let gone = counters.played + counters.late + counters.duplicate + counters.discarded;
        prop_assert_eq!(counters.received, gone + run.receiver.jitter().held() as u64);
    }
}
