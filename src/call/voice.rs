//! The assistant's voice on one leg: prompts in order, from text to the samples of each tick.
//!
//! A prompt is synthesized in one or more clips, which may come back while others still play; they
//! are played in the order of the prompts. What of a prompt was heard is known by the play-out
//! clock: samples handed to the leg, less the far end's buffer.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::{Clip, Frame, MediaTime, PlayWord, Playout, PlayoutEvent, SampleRate};
use cordboard_models::speech::{Speech, SpeechRequest};

use super::{Job, JobId};
use crate::conversation::{Heard, Interruptible};

/// How far off the boundary of what was heard may be: half of the 60 ms that the far end is taken
/// to buffer where nobody tells, and a frame.
const UNCERTAINTY: Duration = Duration::from_millis(50);
/// A line whose sound has not come by then does not come: what waits behind it is not held up.
const SOUND_WITHIN: Duration = Duration::from_secs(5);
/// Silence after each prompt.
const GAP_AFTER: Duration = Duration::from_millis(180);

/// Something to be spoken.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// Its number on the timeline.
    pub(super) id: u32,
    /// The text.
    pub(super) text: Arc<str>,
    /// What may stop it.
    pub(super) interruptible: Interruptible,
    /// Length against normal.
    pub(super) stretch: f32,
}

/// What became of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum VoiceEvent {
    /// Its first sample left.
    Began { id: u32, text: Arc<str> },
    /// Its last sample left, or it was cut, or it never came.
    Ended { id: u32, heard: Heard, uncertainty: Duration },
}

/// What cuts a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Speech: lines that yield to it.
    BySpeech,
    /// A key: lines that yield to keys.
    ByKey,
    /// The call itself: all lines.
    All,
}

#[derive(Debug)]
struct Queued {
    line: Line,
    job: JobId,
    waiting: VecDeque<Speech>,
    complete: bool,
    began: bool,
    /// Clips of this line given to the play-out and not yet ended: id and words.
    playing: VecDeque<(u32, Arc<[PlayWord]>)>,
    heard: Vec<Arc<str>>,
    unsaid: Vec<Arc<str>>,
    /// Words that no engine spoke, behind those that one did.
    unspoken: Vec<Arc<str>>,
    uncertainty: Duration,
}

/// The voice on one leg.
#[derive(Debug)]
pub(super) struct Voice {
    rate: SampleRate,
    playout: Playout,
    lines: VecDeque<Queued>,
    events: VecDeque<VoiceEvent>,
    next_clip: u32,
    /// Since when the next line has had its turn and no sound.
    stalled: Option<MediaTime>,
    /// Whether music is the last thing queued.
    music: bool,
}

impl Voice {
    /// Makes a voice that is silent.
    pub(super) fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            playout: Playout::new(rate),
            lines: VecDeque::new(),
            events: VecDeque::new(),
            next_clip: 1,
            stalled: None,
            music: false,
        }
    }

    /// Queues a line; the job is to be done for it.
    pub(super) fn say(&mut self, line: Line, job: JobId) -> Job {
        let request =
            SpeechRequest { text: line.text.clone(), rate: self.rate, stretch: line.stretch };
        self.lines.push_back(Queued {
            line,
            job,
            waiting: VecDeque::new(),
            complete: false,
            began: false,
            playing: VecDeque::new(),
            heard: Vec::new(),
            unsaid: Vec::new(),
            unspoken: Vec::new(),
            uncertainty: Duration::ZERO,
        });
        Job::Speak { job, request }
    }

    /// Takes synthesized sound; whether the job was of this voice.
    pub(super) fn spoken(&mut self, job: JobId, speech: &Speech, last: bool) -> bool {
        let Some(queued) = self.lines.iter_mut().find(|queued| queued.job == job) else {
            return false;
        };
        queued.complete |= last;
        queued.waiting.push_back(speech.clone());
        self.give_to_playout();
        true
    }

    /// Takes the news that a line cannot be spoken; gives its number, where it is of this voice.
    pub(super) fn refused(&mut self, job: JobId) -> Option<u32> {
        let queued = self.lines.iter_mut().find(|queued| queued.job == job)?;
        let id = queued.line.id;
        queued.complete = true;
        let playing: usize = queued.playing.iter().map(|(_, words)| words.len()).sum();
        let waiting: usize = queued.waiting.iter().map(|speech| speech.words.len()).sum();
        let spoken = queued.heard.len() + playing + waiting;
        queued.unspoken = queued.line.text.split_whitespace().skip(spoken).map(Arc::from).collect();
        self.give_to_playout();
        self.retire();
        Some(id)
    }

    /// The job of the line that has had its turn for too long, and no sound.
    pub(super) fn overdue(&mut self, now: MediaTime) -> Option<JobId> {
        let stalled = |queued: &&Queued| !queued.complete && queued.playing.is_empty();
        let Some(job) = self.lines.front().filter(stalled).map(|queued| queued.job) else {
            self.stalled = None;
            return None;
        };
        let since = *self.stalled.get_or_insert(now);
        (now.since(since) >= SOUND_WITHIN).then(|| {
            self.stalled = None;
            job
        })
    }

    /// Plays sound that is no speech, looped until `silence` is called.
    pub(super) fn music(&mut self, samples: Arc<[f32]>) {
        let clip = self.wordless(samples);
        self.music = self.playout.enqueue_loop(clip).is_ok();
    }

    /// Plays a tone after what is queued.
    pub(super) fn tone(&mut self, samples: Arc<[f32]>) {
        let clip = self.wordless(samples);
        // Where the queue is full there is sound enough.
        if self.playout.enqueue(clip).is_ok() {
            self.music = false;
        }
    }

    /// Stops the music; what is queued behind it has ended it already.
    pub(super) fn end_music(&mut self, now: MediaTime) {
        if std::mem::take(&mut self.music) {
            self.playout.stop(now);
        }
    }

    /// Whether nothing is queued or played; music and tones do not count as speech.
    pub(super) fn is_idle(&self) -> bool {
        self.lines.is_empty()
    }

    /// Whether anything sounds at all.
    pub(super) fn is_sounding(&self) -> bool {
        !self.playout.is_idle()
    }

    /// What may stop the line that is played now; `None` while none is.
    pub(super) fn playing(&self) -> Option<Interruptible> {
        self.lines.front().filter(|queued| queued.began).map(|queued| queued.line.interruptible)
    }

    /// The number of the line that is played now.
    pub(super) fn playing_id(&self) -> Option<u32> {
        self.lines.front().filter(|queued| queued.began).map(|queued| queued.line.id)
    }

    /// Cuts every line that yields to `cut`; whether any did. Jobs not done yet are given to
    /// `cancel`. A line that does not yield keeps its place, and so do the ones behind it.
    pub(super) fn cut(&mut self, now: MediaTime, cut: Cut, cancel: &mut Vec<JobId>) -> bool {
        let yields = |line: &Line| match (cut, line.interruptible) {
            (Cut::All, _)
            | (Cut::BySpeech, Interruptible::Yes)
            | (Cut::ByKey, Interruptible::Yes | Interruptible::ByKeys) => true,
            (Cut::BySpeech, Interruptible::ByKeys | Interruptible::No)
            | (Cut::ByKey, Interruptible::No) => false,
        };
        if self.lines.is_empty() || !self.lines.iter().all(|queued| yields(&queued.line)) {
            return false;
        }
        self.settle_cut(now);
        for queued in std::mem::take(&mut self.lines) {
            if !queued.complete {
                cancel.push(queued.job);
            }
            self.end(queued);
        }
        true
    }

    /// What the far end holds of what it was sent.
    pub(super) const fn far_buffer(&mut self, held: Duration) {
        self.playout.set_far_buffer(held);
    }

    /// Plays 20 ms, music under nothing.
    ///
    /// # Real-time
    /// No allocation unless a prompt ends.
    pub(super) fn pull_into(&mut self, now: MediaTime, frame: &mut Frame) {
        self.playout.pull_into(now, frame);
        while let Some(event) = self.playout.poll_event() {
            match event {
                PlayoutEvent::Began { id, .. } => self.clip_began(id),
                PlayoutEvent::Ended { id, .. } => self.clip_ended(id),
            }
        }
        self.retire();
    }

    /// What became of the lines since last asked.
    pub(super) fn poll_event(&mut self) -> Option<VoiceEvent> {
        self.events.pop_front()
    }

    fn wordless(&mut self, samples: Arc<[f32]>) -> Clip {
        let id = self.next_clip;
        self.next_clip += 1;
        Clip { id, samples, words: Arc::from([]), rate: self.rate, gap: Duration::ZERO }
    }

    /// Gives every clip whose turn has come to the play-out.
    fn give_to_playout(&mut self) {
        let mut next = self.next_clip;
        for queued in &mut self.lines {
            while let Some(speech) = queued.waiting.pop_front() {
                let words: Arc<[PlayWord]> = speech.words.iter().map(play_word).collect();
                let last = queued.complete && queued.waiting.is_empty();
                let clip = Clip {
                    id: next,
                    samples: speech.samples.clone(),
                    words: words.clone(),
                    rate: speech.rate,
                    gap: if last { GAP_AFTER } else { Duration::ZERO },
                };
                self.music = false;
                if self.playout.enqueue(clip).is_ok() {
                    queued.playing.push_back((next, words));
                } else {
                    queued.unsaid.extend(words.iter().map(|word| word.text.clone()));
                }
                next += 1;
            }
            if !queued.complete {
                break;
            }
        }
        self.next_clip = next;
    }

    fn clip_began(&mut self, id: u32) {
        let queued = self.lines.iter_mut().find(|q| q.playing.iter().any(|(c, _)| *c == id));
        let Some(queued) = queued.filter(|queued| !queued.began) else { return };
        queued.began = true;
        let (id, text) = (queued.line.id, queued.line.text.clone());
        self.events.push_back(VoiceEvent::Began { id, text });
    }

    fn clip_ended(&mut self, id: u32) {
        for queued in &mut self.lines {
            if let Some(place) = queued.playing.iter().position(|(clip, _)| *clip == id) {
                let (_, words) = queued.playing.remove(place).expect("position found above");
                queued.heard.extend(words.iter().map(|word| word.text.clone()));
                return;
            }
        }
    }

    /// Ends the lines at the front that have nothing left to play.
    fn retire(&mut self) {
        while self.lines.front().is_some_and(|queued| {
            queued.complete && queued.waiting.is_empty() && queued.playing.is_empty()
        }) {
            let queued = self.lines.pop_front().expect("front seen above");
            self.end(queued);
        }
        self.give_to_playout();
    }

    /// Stops the play-out and books, clip by clip, which words were heard.
    fn settle_cut(&mut self, now: MediaTime) {
        for stopped in self.playout.stop(now) {
            for queued in &mut self.lines {
                let place = queued.playing.iter().position(|(clip, _)| *clip == stopped.id);
                let Some((_, words)) = place.and_then(|place| queued.playing.remove(place)) else {
                    continue;
                };
                let (heard, unsaid) = words.split_at(stopped.words_heard.min(words.len()));
                queued.heard.extend(heard.iter().map(|word| word.text.clone()));
                queued.unsaid.extend(unsaid.iter().map(|word| word.text.clone()));
                queued.uncertainty = UNCERTAINTY;
            }
        }
    }

    fn end(&mut self, mut queued: Queued) {
        for (_, words) in queued.playing.drain(..) {
            queued.unsaid.extend(words.iter().map(|word| word.text.clone()));
        }
        for speech in queued.waiting.drain(..) {
            queued.unsaid.extend(speech.words.iter().map(|word| word.text.clone()));
        }
        queued.unsaid.append(&mut queued.unspoken);
        if !queued.complete && queued.heard.is_empty() && queued.unsaid.is_empty() {
            queued.unsaid.push(queued.line.text.clone());
        }
        let heard = Heard { text: join(&queued.heard), unsaid: join(&queued.unsaid) };
        let uncertainty = queued.uncertainty;
        self.events.push_back(VoiceEvent::Ended { id: queued.line.id, heard, uncertainty });
    }
}

fn play_word(word: &cordboard_models::speech::SpokenWord) -> PlayWord {
    PlayWord { text: word.text.clone(), begin: word.begin, end: word.end }
}

fn join(words: &[Arc<str>]) -> String {
    words.iter().map(AsRef::as_ref).collect::<Vec<&str>>().join(" ")
}

#[cfg(test)]
mod tests {
    use cordboard_models::scripted::ScriptedSynthesizer;
    use cordboard_models::speech::Synthesizer;

    use super::*;

    #[test]
    fn what_no_engine_spoke_of_a_line_is_unsaid_behind_what_was_heard() {
        let rate = SampleRate::NARROW;
        let text: Arc<str> = Arc::from("It comes today by six");
        let line = Line { id: 1, text, interruptible: Interruptible::Yes, stretch: 1.0 };
        for (given, heard) in
            [("", ""), ("It comes", "It comes"), ("It comes today", "It comes today")]
        {
            let mut voice = Voice::new(rate);
            voice.say(line.clone(), JobId(7));
            if !given.is_empty() {
                let request = SpeechRequest { text: Arc::from(given), rate, stretch: 1.0 };
                let speech = ScriptedSynthesizer.speak(&request).unwrap();
                assert!(voice.spoken(JobId(7), &speech, false));
            }
            assert_eq!(voice.refused(JobId(7)), Some(1));
            for tick in 0..200 {
                let now = MediaTime::from_millis(20 * tick);
                voice.pull_into(now, &mut Frame::silence(now, rate));
            }
            let mut events = std::iter::from_fn(|| voice.poll_event());
            let ended = events.find_map(|event| match event {
                VoiceEvent::Ended { heard, .. } => Some(heard),
                VoiceEvent::Began { .. } => None,
            });
            let unsaid = line.text.strip_prefix(given).unwrap().trim().to_owned();
            assert_eq!(ended, Some(Heard { text: heard.to_owned(), unsaid }));
        }
    }
}
