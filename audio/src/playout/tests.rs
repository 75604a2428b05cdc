//! What was handed out, when, and what of it was heard.

use proptest::prelude::*;

use super::*;

const RATE: SampleRate = SampleRate::NARROW;

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A clip of constant sound with a word in each 100 ms.
fn clip(id: u32, length_ms: u64, gap_ms: u64) -> Clip {
    let words: Vec<_> = (0..length_ms / 100)
        .map(|n| PlayWord { text: "so".into(), begin: ms(100 * n), end: ms(100 * n + 100) })
        .collect();
    let samples = vec![0.5; 8 * length_ms as usize].into();
    Clip { id, samples, words: words.into(), rate: RATE, gap: ms(gap_ms) }
}

/// Pulls so many frames from this one on; returns their samples.
fn pull(playout: &mut Playout, from: u64, frames: u64) -> Vec<f32> {
    let mut frame = Frame::silence(MediaTime::ZERO, RATE);
    let mut out = Vec::new();
    for n in from..from + frames {
        playout.pull_into(MediaTime::from_millis(20 * n), &mut frame);
        assert_eq!(frame.at(), MediaTime::from_millis(20 * n));
        out.extend_from_slice(frame.samples());
    }
    out
}

fn events(playout: &mut Playout) -> Vec<PlayoutEvent> {
    std::iter::from_fn(|| playout.poll_event()).collect()
}

#[test]
fn clips_follow_each_other_with_their_pauses() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 30, 15)).unwrap();
    playout.enqueue(clip(2, 10, 0)).unwrap();
    let out = pull(&mut playout, 0, 4);
    let goal = |n: usize| if n < 240 || (360..440).contains(&n) { 0.5 } else { 0.0 };
    assert!(out.iter().enumerate().all(|(n, sample)| *sample == goal(n)));
    let at = MediaTime::from_millis;
    assert_eq!(
        events(&mut playout),
        [
            PlayoutEvent::Began { id: 1, at: at(0) },
            PlayoutEvent::Ended { id: 1, at: at(30) },
            PlayoutEvent::Began { id: 2, at: at(45) },
            PlayoutEvent::Ended { id: 2, at: at(55) },
        ]
    );
}

#[test]
fn the_last_frame_says_drained_and_the_pause_belongs_to_the_clip() {
    let mut frame = Frame::silence(MediaTime::ZERO, RATE);
    for (gap_ms, frames) in [(0, 2), (20, 3), (100, 7), (9_000, 152)] {
        let mut playout = Playout::new(RATE);
        playout.enqueue(clip(1, 40, gap_ms)).unwrap();
        let pulled = (1..).find(|_| playout.pull_into(MediaTime::ZERO, &mut frame));
        assert_eq!(pulled, Some(frames), "pause of {gap_ms} ms");
        assert!(playout.is_idle());
    }
}

#[test]
fn an_empty_clip_begins_and_ends_at_once() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(7, 0, 0)).unwrap();
    pull(&mut playout, 0, 1);
    let at = MediaTime::ZERO;
    let goal = [PlayoutEvent::Began { id: 7, at }, PlayoutEvent::Ended { id: 7, at }];
    assert_eq!(events(&mut playout), goal);
}

#[test]
fn stopping_fades_in_ten_ms_and_then_is_silent() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 1_000, 0)).unwrap();
    pull(&mut playout, 0, 5);
    playout.stop(MediaTime::from_millis(100));
    assert!(!playout.is_idle(), "the fade is still to come");
    let out = pull(&mut playout, 5, 2);
    assert!(out[..80].windows(2).all(|pair| pair[0] > pair[1] && pair[0] - pair[1] < 0.01));
    assert!(out[0] > 0.49 && out[79] < 0.01);
    assert!(out[80..].iter().all(|sample| *sample == 0.0));
    assert!(playout.is_idle());
}

#[test]
fn stopping_says_what_was_heard_of_each() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 1_000, 0)).unwrap();
    playout.enqueue(clip(2, 500, 0)).unwrap();
    pull(&mut playout, 0, 22);
    // The 22nd frame went out at 420 ms; at 430 ms half of it has been sent: 430 less 60.
    let stopped = playout.stop(MediaTime::from_millis(430));
    assert_eq!(
        stopped,
        [
            Stopped { id: 1, heard_upto: ms(370), words_heard: 4 },
            Stopped { id: 2, heard_upto: ms(0), words_heard: 0 },
        ]
    );
    assert!(events(&mut playout).iter().all(|it| !matches!(it, PlayoutEvent::Ended { .. })));
    assert!(playout.stop(MediaTime::from_millis(431)).is_empty());
}

#[test]
fn the_fade_is_no_speech_that_was_heard() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 1_000, 0)).unwrap();
    pull(&mut playout, 0, 2);
    playout.stop(MediaTime::from_millis(40));
    pull(&mut playout, 2, 20);
    // 40 ms were handed out, the fade runs to 50: the middle of the first word.
    assert_eq!(playout.heard(1, FAR_BUFFER).0, 0);
}

#[test]
fn a_word_is_heard_when_its_middle_is() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 200, 0)).unwrap();
    assert_eq!(playout.heard(1, FAR_BUFFER).0, 0);
    let mut heard = Vec::new();
    for n in 0..16 {
        pull(&mut playout, n, 1);
        heard.push(playout.heard(1, FAR_BUFFER).0);
    }
    // Middles at 50 and 150 ms, 60 ms on the way: after frames ending at 120 and 220 ms.
    let goal: Vec<_> = (1..=16).map(|n| usize::from(n >= 6) + usize::from(n >= 11)).collect();
    assert_eq!(heard, goal);
    assert_eq!(playout.heard(1, ms(60)).1, ms(50));
    assert_eq!(playout.heard(99, ms(60)).0, 0);
}

#[test]
fn a_loop_plays_until_another_clip_comes() {
    let mut playout = Playout::new(RATE);
    playout.enqueue_loop(clip(1, 30, 0)).unwrap();
    assert!(pull(&mut playout, 0, 50).iter().all(|sample| *sample == 0.5));
    playout.enqueue(Clip { samples: vec![0.0; 320].into(), ..clip(2, 0, 0) }).unwrap();
    let out = pull(&mut playout, 50, 3);
    assert!(out[0] > 0.49 && out[79] < 0.01 && out[80..].iter().all(|sample| *sample == 0.0));
    let at = MediaTime::from_millis;
    assert_eq!(
        events(&mut playout),
        [
            PlayoutEvent::Began { id: 1, at: at(0) },
            PlayoutEvent::Ended { id: 1, at: at(1_000) },
            PlayoutEvent::Began { id: 2, at: at(1_000) },
            PlayoutEvent::Ended { id: 2, at: at(1_040) },
        ]
    );
}

#[test]
fn what_does_not_fit_is_refused_with_its_reason() {
    let mut playout = Playout::new(RATE);
    let wide = Clip { rate: SampleRate::WIDE, ..clip(1, 20, 0) };
    let refused = playout.enqueue(wide).unwrap_err();
    assert_eq!(refused.to_string(), "clip has 16000 Hz, playout has 8000 Hz");
    assert_eq!(playout.enqueue_loop(clip(1, 0, 0)), Err(PlayoutError::EmptyLoop));
    for id in 0..CLIPS_MAX as u32 {
        playout.enqueue(clip(id, 20, 0)).unwrap();
    }
    assert_eq!(playout.enqueue(clip(99, 20, 0)), Err(PlayoutError::Full));
}

proptest! {
    #[test]
    fn what_is_heard_rises_to_all_and_never_exceeds_what_was_handed_out(
        lengths in prop::collection::vec((0_u64..900, 0_u64..100), 1..6),
        far_ms in 0_u64..200,
    ) {
        let mut playout = Playout::new(RATE);
        for (id, (length_ms, gap_ms)) in lengths.iter().enumerate() {
            playout.enqueue(clip(id as u32, *length_ms, *gap_ms)).unwrap();
        }
        let mut before = vec![0; lengths.len()];
        let mut begins = vec![None; lengths.len()];
        for n in 0..400_u64 {
            pull(&mut playout, n, 1);
            for event in events(&mut playout) {
                if let PlayoutEvent::Began { id, at } = event {
                    begins[id as usize] = Some(at.as_millis());
                }
            }
            for (id, words) in before.iter_mut().enumerate() {
                let (heard, _) = playout.heard(id as u32, ms(far_ms));
                prop_assert!(heard >= *words, "heard words are not unheard");
                let sent = begins[id].map_or(0, |begin| (20 * (n + 1)).saturating_sub(begin));
                prop_assert!(heard as u64 * 100 <= sent.saturating_sub(far_ms) + 50);
                *words = heard;
            }
        }
        let all: Vec<_> = lengths.iter().map(|(length_ms, _)| (length_ms / 100) as usize).collect();
        prop_assert_eq!(before, all);
    }

    #[test]
    fn stopping_anywhere_agrees_with_the_clock(frames in 0_u64..60, into_ms in 0_u64..20) {
        let mut playout = Playout::new(RATE);
        playout.enqueue(clip(1, 1_000, 0)).unwrap();
        pull(&mut playout, 0, frames);
        let now = (20 * frames + into_ms).saturating_sub(20);
        let stopped = playout.stop(MediaTime::from_millis(now));
        if frames >= 50 {
            prop_assert!(stopped.is_empty());
        } else {
            let heard = if frames == 0 { 0 } else { now.saturating_sub(60) };
            prop_assert_eq!(stopped[0].heard_upto, ms(heard));
            prop_assert_eq!(stopped[0].words_heard as u64, (heard + 50) / 100);
        }
    }
}

#[test]
fn ducked_sound_falls_by_twenty_decibels_without_a_step_and_goes_on_where_it_was() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 1_000, 0)).unwrap();
    let mut out = pull(&mut playout, 0, 5);
    playout.duck(true);
    out.extend(pull(&mut playout, 5, 10));
    playout.duck(false);
    out.extend(pull(&mut playout, 15, 10));
    let steps = out.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    assert!(steps.fold(0.0, f32::max) < 0.5 * 0.0065, "it clicks");
    assert!(out[..800].iter().all(|sample| *sample == 0.5));
    assert!(out[960..2_400].iter().all(|sample| (sample - 0.05).abs() < 1e-6));
    assert!(out[2_560..].iter().all(|sample| *sample == 0.5));
    pull(&mut playout, 25, 25);
    let ended = PlayoutEvent::Ended { id: 1, at: MediaTime::from_millis(1_000) };
    assert!(events(&mut playout).contains(&ended), "ducking costs no time");
}

#[test]
fn what_is_stopped_while_ducked_was_heard_up_to_the_ducking_and_fades_from_where_it_is() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 2_000, 0)).unwrap();
    pull(&mut playout, 0, 40);
    playout.duck(true);
    pull(&mut playout, 40, 20);
    let stopped = playout.stop(MediaTime::from_millis(20 * 59));
    assert_eq!((stopped[0].heard_upto, stopped[0].words_heard), (ms(800 - 60), 7));
    playout.enqueue(clip(2, 100, 0)).unwrap();
    let out = pull(&mut playout, 60, 2);
    assert!(out[0] <= 0.5 + 0.05 && out[200] == 0.5, "the next clip is not ducked");
}

#[test]
fn what_was_ducked_and_rose_again_was_heard() {
    let mut playout = Playout::new(RATE);
    playout.enqueue(clip(1, 2_000, 0)).unwrap();
    pull(&mut playout, 0, 40);
    playout.duck(true);
    pull(&mut playout, 40, 10);
    playout.duck(false);
    pull(&mut playout, 50, 10);
    let stopped = playout.stop(MediaTime::from_millis(20 * 60));
    assert_eq!(stopped[0].heard_upto, ms(1_200 - 60));
}
