//! The downlink voice: clips wait, are played one after the other, and are stopped; and it is
//! known at any time what of them has been heard.
//!
//! *Heard* is what was handed out less the far buffer: what the network and the far end still
//! hold. A word has been heard when its middle has. The clock is the frames pulled, so that a tick
//! that came late does not make words heard that were not sent.
//!
//! *Ducked*, what is played goes on far below its level, for as long as somebody speaks over it and
//! nobody knows yet what that is. Where it is stopped then, nothing of the ducked stretch counts as
//! heard: nobody hears words under their own voice at a tenth of the level.
//!
//! Absent: synthesis, resampling (a clip has the queue's rate).

mod events;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use self::events::Events;
pub use self::events::PlayoutEvent;
use crate::{FRAME_SAMPLES_MAX, Frame, MediaTime, SampleRate, SharedSamples, mix};

/// Clips that wait at most; one more is refused.
pub const CLIPS_MAX: usize = 64;
/// Longest pause after a clip.
pub const GAP_MAX: Duration = Duration::from_secs(3);
/// What the network and the far end hold where nothing better is known (DESIGN.md).
pub const FAR_BUFFER: Duration = Duration::from_millis(60);
/// Length of the fade where a clip is cut off.
const FADE_MS: usize = 10;
/// Level of ducked sound against its own: -20 dB.
pub const DUCK_GAIN: f32 = 0.1;
/// How long the level takes to fall or rise: a step would click.
const RAMP_MS: usize = 20;
/// Clips that ended and whose words are still asked for.
const ENDED_KEPT: usize = 8;

/// A word of a clip and where it lies.
#[derive(Clone, Debug, PartialEq)]
pub struct PlayWord {
    /// The word as the text has it.
    pub text: Arc<str>,
    /// Begin, from the clip's first sample.
    pub begin: Duration,
    /// End, from the clip's first sample.
    pub end: Duration,
}

/// Sound to be played.
#[derive(Clone, Debug)]
pub struct Clip {
    /// The caller's own number for it.
    pub id: u32,
    /// The sound.
    pub samples: SharedSamples,
    /// Its words in order; none for a tone.
    pub words: Arc<[PlayWord]>,
    /// Rate of the samples; the playout's.
    pub rate: SampleRate,
    /// Silence after it, at most [`GAP_MAX`].
    pub gap: Duration,
}

/// Why a clip was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlayoutError {
    /// The clip's rate is not the playout's.
    #[error("clip has {} Hz, playout has {} Hz", got.hz(), expected.hz())]
    ApiMisuse {
        /// Rate of the playout.
        expected: SampleRate,
        /// Rate of the clip.
        got: SampleRate,
    },
    /// Too many wait.
    #[error("{CLIPS_MAX} clips wait already")]
    Full,
    /// A loop without a sample would never sound.
    #[error("loop is empty")]
    EmptyLoop,
}

/// A clip that was stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which.
    pub id: u32,
    /// How much of it has been heard.
    pub heard_upto: Duration,
    /// How many of its words have been heard.
    pub words_heard: usize,
}

/// The voice queue of one leg.
///
/// # Real-time
/// `pull_into`, `poll_event` and `heard` allocate nothing, `enqueue` neither.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use cordboard_audio::{Clip, Frame, MediaTime, Playout, PlayoutEvent, SampleRate};
///
/// let rate = SampleRate::NARROW;
/// let mut playout = Playout::new(rate);
/// let samples = vec![0.1; 240].into();
/// playout.enqueue(Clip { id: 1, samples, words: [].into(), rate, gap: Duration::ZERO })?;
///
/// let mut frame = Frame::silence(MediaTime::ZERO, rate);
/// assert!(!playout.pull_into(MediaTime::ZERO, &mut frame));
/// assert!(playout.pull_into(MediaTime::from_millis(20), &mut frame), "drained");
/// assert_eq!(playout.poll_event(), Some(PlayoutEvent::Began { id: 1, at: MediaTime::ZERO }));
/// let at = MediaTime::from_millis(30);
/// assert_eq!(playout.poll_event(), Some(PlayoutEvent::Ended { id: 1, at }));
/// # Ok::<(), cordboard_audio::PlayoutError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Playout {
    rate: SampleRate,
    queue: VecDeque<Track>,
    ended: VecDeque<Track>,
    events: Events,
    /// Samples handed out in all, silence included.
    clock: u64,
    /// When the last frame was.
    pulled_at: MediaTime,
    far_buffer: Duration,
    fade: Fade,
    /// Level of what is played, as a factor: that of the last sample, and where it goes.
    gain: f32,
    gain_wanted: f32,
    /// The clock where the level began to fall.
    ducked: Option<u64>,
}

/// A clip being played, waiting, or over.
#[derive(Clone, Debug)]
struct Track {
    clip: Clip,
    looped: bool,
    /// The clock at its first sample; none while it waits.
    began: Option<u64>,
    /// Samples of it handed out.
    handed: u64,
    /// Whether its last sample was handed out; the pause follows.
    ended: bool,
    /// Samples of the pause after it that are left.
    gap: usize,
}

/// What is left of a clip that was cut off, to be mixed into the next frame.
#[derive(Clone, Debug)]
struct Fade {
    samples: [f32; FRAME_SAMPLES_MAX],
    len: usize,
}

impl Playout {
    /// Makes an empty queue of this rate.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            queue: VecDeque::with_capacity(CLIPS_MAX),
            ended: VecDeque::with_capacity(ENDED_KEPT),
            events: Events::new(),
            clock: 0,
            pulled_at: MediaTime::ZERO,
            far_buffer: FAR_BUFFER,
            fade: Fade { samples: [0.0; FRAME_SAMPLES_MAX], len: 0 },
            gain: 1.0,
            gain_wanted: 1.0,
            ducked: None,
        }
    }

    /// Puts a clip behind those that wait.
    ///
    /// # Errors
    /// Where its rate is not the queue's, and where [`CLIPS_MAX`] wait already.
    pub fn enqueue(&mut self, clip: Clip) -> Result<(), PlayoutError> {
        self.push(clip, false)
    }

    /// Puts a clip behind those that wait, to be played again and again until another is put
    /// behind it or it is stopped. Its `gap` is the pause after the last round.
    ///
    /// # Errors
    /// As [`Self::enqueue`], and where it has no sample.
    pub fn enqueue_loop(&mut self, clip: Clip) -> Result<(), PlayoutError> {
        if clip.samples.is_empty() {
            return Err(PlayoutError::EmptyLoop);
        }
        self.push(clip, true)
    }

    /// Fills the frame that is sent at `now`; called once in each 20 ms. Says whether the queue is
    /// drained: nothing follows this frame.
    pub fn pull_into(&mut self, now: MediaTime, frame: &mut Frame) -> bool {
        *frame = Frame::silence(now, self.rate);
        let out = frame.samples_mut();
        let mut filled = 0;
        while filled < out.len() {
            let at = now + duration(filled as u64, self.rate);
            self.cut_loop(at);
            let Some(track) = self.queue.front_mut() else { break };
            let id = track.clip.id;
            if track.began.is_none() {
                track.began = Some(self.clock + filled as u64);
                self.events.push(PlayoutEvent::Began { id, at });
            }
            filled += track.play_into(&mut out[filled..]);
            if !track.ended && !track.is_sounding() {
                track.ended = true;
                let at = now + duration(filled as u64, self.rate);
                self.events.push(PlayoutEvent::Ended { id, at });
            }
            if track.ended {
                filled += track.pause(out.len() - filled);
                if track.gap == 0 {
                    self.retire();
                }
            }
        }
        self.level_into(out);
        self.fade.mix_into(out);
        self.clock += out.len() as u64;
        self.pulled_at = now;
        self.is_idle()
    }

    /// Stops all at once: what is being played fades out within 10 ms of the next frame, what
    /// waits is never played. Says how much of each has been heard at `now`, by what was handed
    /// out and the far buffer; of none comes an `Ended`.
    pub fn stop(&mut self, now: MediaTime) -> Vec<Stopped> {
        self.fade_front();
        // Of the frame handed out last, only what the time since covers has been sent.
        let frame = self.rate.frame_samples() as u64;
        let since = samples(now.since(self.pulled_at), self.rate).min(frame);
        let sent = (self.clock + since).saturating_sub(frame);
        let clock = self.ducked.map_or(sent, |ducked| ducked.min(sent));
        let stopped = self.queue.iter().filter(|track| !track.ended).map(|track| {
            let heard_upto = duration(track.heard(clock, self.rate, self.far_buffer), self.rate);
            let words_heard = track.words_heard(heard_upto);
            Stopped { id: track.clip.id, heard_upto, words_heard }
        });
        let stopped = stopped.collect();
        if self.queue.front().is_some_and(|track| track.began.is_some()) {
            self.retire();
        }
        self.queue.clear();
        // What comes next is not what was spoken over.
        (self.gain, self.gain_wanted, self.ducked) = (1.0, 1.0, None);
        stopped
    }

    /// Lets the level fall by 20 dB within the next 20 ms, or rise again to what it was. What is
    /// played goes on meanwhile.
    pub fn duck(&mut self, ducked: bool) {
        self.gain_wanted = if ducked { DUCK_GAIN } else { 1.0 };
        self.ducked = ducked.then(|| self.ducked.unwrap_or(self.clock));
    }

    /// Takes the oldest event.
    pub fn poll_event(&mut self) -> Option<PlayoutEvent> {
        self.events.pop()
    }

    /// Sets what the network and the far end hold, as measured (RTCP XR, the browser); it applies
    /// to what `stop` says.
    pub const fn set_far_buffer(&mut self, far_buffer: Duration) {
        self.far_buffer = far_buffer;
    }

    /// How many words of a clip have been heard with this far buffer, and how far off in time
    /// that may be: half the far buffer, which is an estimate, and a frame. Of a clip that is not
    /// known, or waits, or was long ago, none.
    #[must_use]
    pub fn heard(&self, id: u32, far_buffer: Duration) -> (usize, Duration) {
        let uncertainty = far_buffer / 2 + Duration::from_millis(crate::FRAME_MS);
        let words = self.track(id).map_or(0, |track| {
            let heard = track.heard(self.clock, self.rate, far_buffer);
            track.words_heard(duration(heard, self.rate))
        });
        (words, uncertainty)
    }

    /// How many words of a clip have been heard, by the far end's buffer as it is known.
    #[must_use]
    pub fn words_heard(&self, id: u32) -> usize {
        self.heard(id, self.far_buffer).0
    }

    /// Whether nothing is being played, fades out or waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.fade.len == 0
    }

    /// Clips being played or waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.queue.len()
    }

    /// Rate of its frames.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Brings a frame to the level wanted, in a straight line from the level of the last.
    fn level_into(&mut self, out: &mut [f32]) {
        if self.gain == 1.0 && self.gain_wanted == 1.0 {
            return;
        }
        let ramp = (RAMP_MS * self.rate.hz() as usize / 1_000) as f32;
        let step = (1.0 - DUCK_GAIN) / ramp;
        for sample in out {
            let way = self.gain_wanted - self.gain;
            self.gain += way.clamp(-step, step);
            *sample *= self.gain;
        }
    }

    fn push(&mut self, clip: Clip, looped: bool) -> Result<(), PlayoutError> {
        if clip.rate != self.rate {
            return Err(PlayoutError::ApiMisuse { expected: self.rate, got: clip.rate });
        }
        if self.queue.len() >= CLIPS_MAX {
            return Err(PlayoutError::Full);
        }
        let gap = samples(clip.gap.min(GAP_MAX), self.rate) as usize;
        self.queue.push_back(Track { clip, looped, began: None, handed: 0, ended: false, gap });
        Ok(())
    }

    /// Ends a loop that has sounded and that another clip waits behind.
    fn cut_loop(&mut self, at: MediaTime) {
        let follows = self.queue.len() > 1;
        let Some(track) = self.queue.front().filter(|track| track.looped && follows) else {
            return;
        };
        if track.began.is_none() {
            self.queue.pop_front();
            return;
        }
        let id = track.clip.id;
        self.fade_front();
        self.events.push(PlayoutEvent::Ended { id, at });
        self.retire();
    }

    /// Takes the next samples of what is being played, fading, for the next frame.
    fn fade_front(&mut self) {
        let wanted = FADE_MS * self.rate.hz() as usize / 1_000;
        let Some(track) = self.queue.front_mut().filter(|track| track.began.is_some()) else {
            return;
        };
        let handed = track.handed;
        let mut rest = [0.0; FRAME_SAMPLES_MAX];
        let mut len = 0;
        while len < wanted && track.is_sounding() {
            len += track.play_into(&mut rest[len..wanted]);
        }
        track.handed = handed;
        for (n, sample) in rest[..len].iter_mut().enumerate() {
            *sample *= self.gain * (1.0 - (n + 1) as f32 / (wanted + 1) as f32);
        }
        self.fade = Fade { samples: rest, len };
    }

    fn retire(&mut self) {
        let Some(track) = self.queue.pop_front() else { return };
        if self.ended.len() == ENDED_KEPT {
            self.ended.pop_front();
        }
        self.ended.push_back(track);
    }

    fn track(&self, id: u32) -> Option<&Track> {
        let played = self.queue.iter().filter(|track| track.began.is_some());
        played.chain(self.ended.iter().rev()).find(|track| track.clip.id == id)
    }
}

impl Track {
    /// Whether samples of it are still to come.
    fn is_sounding(&self) -> bool {
        self.looped || (self.handed as usize) < self.clip.samples.len()
    }

    fn play_into(&mut self, out: &mut [f32]) -> usize {
        let samples = &self.clip.samples;
        let at =
            if self.looped { self.handed as usize % samples.len() } else { self.handed as usize };
        let rest = &samples[at..];
        let len = rest.len().min(out.len());
        out[..len].copy_from_slice(&rest[..len]);
        self.handed += len as u64;
        len
    }

    /// Passes up to so many samples of the pause after it.
    fn pause(&mut self, most: usize) -> usize {
        let passed = self.gap.min(most);
        self.gap -= passed;
        passed
    }

    /// Samples of it that were heard when the clock shows this.
    fn heard(&self, clock: u64, rate: SampleRate, far_buffer: Duration) -> u64 {
        let far = samples(far_buffer, rate);
        self.began.map_or(0, |began| clock.saturating_sub(began + far).min(self.handed))
    }

    fn words_heard(&self, upto: Duration) -> usize {
        let heard = |word: &&PlayWord| !upto.is_zero() && (word.begin + word.end) / 2 <= upto;
        self.clip.words.iter().take_while(heard).count()
    }
}

impl Fade {
    fn mix_into(&mut self, out: &mut [f32]) {
        mix::add_into(out, &self.samples[..self.len], 1.0);
        self.len = 0;
    }
}

fn duration(samples: u64, rate: SampleRate) -> Duration {
    Duration::from_nanos(samples * 1_000_000_000 / u64::from(rate.hz()))
}

fn samples(duration: Duration, rate: SampleRate) -> u64 {
    (duration.as_nanos() * u128::from(rate.hz()) / 1_000_000_000) as u64
}
