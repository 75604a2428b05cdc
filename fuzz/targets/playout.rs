//! Operations on the voice queue of a leg: clips begin and end in their order, once; what was heard
//! is never more than what was handed out, and grows; sound stays within full scale.
#![no_main]

use std::collections::VecDeque;
use std::time::Duration;

use arbitrary::Arbitrary;
use cordboard_audio::playout::{CLIPS_MAX, FAR_BUFFER};
use cordboard_audio::{
    Clip, Frame, MediaTime, PlayWord, Playout, PlayoutError, PlayoutEvent, SampleRate,
};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
enum Act {
    Clip { samples: u16, words: Vec<(u16, u16)>, gap_ms: u16, looped: bool },
    Wide,
    Pull { times: u8, late_ms: u8 },
    Stop { after_ms: u8 },
    FarBuffer(u16),
}

struct Voice {
    playout: Playout,
    frame: Frame,
    now: MediaTime,
    next: u32,
    /// Clips that wait or are played: number, length, words.
    waiting: VecDeque<(u32, Duration, usize)>,
    playing: bool,
    heard: (u32, usize),
}

fuzz_target!(|acts: Vec<Act>| {
    let rate = SampleRate::NARROW;
    let mut voice = Voice {
        playout: Playout::new(rate),
        frame: Frame::silence(MediaTime::ZERO, rate),
        now: MediaTime::ZERO,
        next: 0,
        waiting: VecDeque::new(),
        playing: false,
        heard: (0, 0),
    };
    acts.into_iter().take(128).for_each(|act| voice.act(act));
});

impl Voice {
    fn act(&mut self, act: Act) {
        match act {
            Act::Clip { samples, words, gap_ms, looped } => {
                self.enqueue(samples % 4_000, &words, gap_ms, looped);
            }
            Act::Wide => {
                let clip = clip(0, &[0.1; 320], &[], SampleRate::WIDE, 0);
                let refused = self.playout.enqueue(clip);
                assert!(matches!(refused, Err(PlayoutError::ApiMisuse { .. })));
            }
            Act::Pull { times, late_ms } => {
                self.now = self.now + Duration::from_millis(late_ms.into());
                (0..times).for_each(|_| self.pull());
            }
            Act::Stop { after_ms } => self.stop(after_ms),
            Act::FarBuffer(ms) => self.playout.set_far_buffer(Duration::from_millis(ms.into())),
        }
    }

    fn enqueue(&mut self, samples: u16, words: &[(u16, u16)], gap_ms: u16, looped: bool) {
        let samples = vec![0.9; usize::from(samples)];
        let clip = clip(self.next, &samples, words, SampleRate::NARROW, gap_ms);
        let length = Duration::from_secs_f64(samples.len() as f64 / 8_000.0);
        let count = clip.words.len();
        let taken = match looped {
            true => self.playout.enqueue_loop(clip),
            false => self.playout.enqueue(clip),
        };
        match taken {
            Ok(()) => {
                let length = if looped { Duration::MAX } else { length };
                self.waiting.push_back((self.next, length, count));
                self.next += 1;
            }
            Err(PlayoutError::Full) => assert_eq!(self.playout.waiting(), CLIPS_MAX),
            Err(fault) => assert_eq!(fault, PlayoutError::EmptyLoop),
        }
    }

    fn pull(&mut self) {
        let drained = self.playout.pull_into(self.now, &mut self.frame);
        assert!(self.frame.samples().iter().all(|it| (-1.0..=1.0).contains(it)));
        assert_eq!(drained, self.playout.is_idle());
        let upto = self.now + Duration::from_millis(20);
        while let Some(event) = self.playout.poll_event() {
            match event {
                PlayoutEvent::Began { id, at } => {
                    assert!(!self.playing && (self.now..upto).contains(&at));
                    // A loop that another clip waits behind before it sounds never does.
                    while self.waiting.front().is_some_and(|it| it.0 < id && it.1 == Duration::MAX)
                    {
                        self.waiting.pop_front();
                    }
                    assert_eq!(self.waiting.front().map(|it| it.0), Some(id), "in their order");
                    self.playing = true;
                }
                PlayoutEvent::Ended { id, at } => {
                    assert!(self.playing && (self.now..=upto).contains(&at));
                    assert_eq!(self.waiting.pop_front().map(|it| it.0), Some(id));
                    self.playing = false;
                }
            }
        }
        if let Some((id, _, words)) = self.waiting.front() {
            let (heard, within) = self.playout.heard(*id, FAR_BUFFER);
            assert!(heard <= *words && within <= FAR_BUFFER);
            assert!(self.heard.0 != *id || heard >= self.heard.1, "what was heard stays heard");
            self.heard = (*id, heard);
        }
        self.now = upto;
    }

    fn stop(&mut self, after_ms: u8) {
        let stopped = self.playout.stop(self.now + Duration::from_millis(after_ms.into()));
        let numbers: Vec<u32> = stopped.iter().map(|it| it.id).collect();
        let expected: Vec<u32> = self.waiting.iter().map(|it| it.0).collect();
        assert_eq!(numbers, expected, "all that waited, in order");
        for (one, (_, length, words)) in stopped.iter().zip(&self.waiting) {
            assert!(one.heard_upto <= *length && one.words_heard <= *words, "{one:?}");
        }
        for one in stopped.iter().skip(1) {
            assert_eq!((one.heard_upto, one.words_heard), (Duration::ZERO, 0), "not yet begun");
        }
        self.waiting.clear();
        self.playing = false;
        assert_eq!(self.playout.waiting(), 0);
    }
}

fn clip(id: u32, samples: &[f32], words: &[(u16, u16)], rate: SampleRate, gap_ms: u16) -> Clip {
    let mut at = Duration::ZERO;
    let words = words.iter().take(16).map(|(pause, length)| {
        let begin = at + Duration::from_millis(u64::from(pause % 500) + 1);
        at = begin + Duration::from_millis(u64::from(length % 500));
        PlayWord { text: "word".into(), begin, end: at }
    });
    let words = words.collect();
    Clip { id, samples: samples.into(), words, rate, gap: Duration::from_millis(gap_ms.into()) }
}
