//! The assistant's voice on one leg: prompts in order, from text to the samples of each tick.
//!
//! A prompt is synthesized in one or more clips, which may come back while others still play; they
//! are played in the order of the prompts. What of a prompt was heard is known by the play-out
//! clock: samples handed to the leg, less the far end's buffer.
//!
//! What speech has stopped waits for what the speech comes to: it is dropped, or goes on at the
//! first word that was not heard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::level;
use cordboard_audio::{Clip, Frame, MediaTime, PlayWord, Playout, PlayoutEvent, SampleRate};
use cordboard_models::speech::{Speech, SpeechRequest, SpokenWord};

use super::JobId;
use crate::conversation::{Heard, Interruptible};

/// How far off the boundary of what was heard may be: half of the 60 ms that the far end is taken
/// to buffer where nobody tells, and a frame.
const UNCERTAINTY: Duration = Duration::from_millis(50);
/// A line whose sound has not come by then does not come: what waits behind it is not held up.
const SOUND_WITHIN: Duration = Duration::from_secs(5);
/// Silence after each prompt.
const GAP_AFTER: Duration = Duration::from_millis(180);
/// From this level on a sound is to be heard, dBov, looked for in steps of so many ms.
const HEARD_DBOV: f32 = -42.0;
const HEARD_STEP_MS: u32 = 10;

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
    /// Its first sample left; it is to be heard so long after that.
    Began { id: u32, text: Arc<str>, quiet: Duration },
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
    /// Clips of this line given to the play-out and not yet ended.
    playing: VecDeque<(u32, Speech)>,
    heard: Vec<Arc<str>>,
    unsaid: Vec<Arc<str>>,
    /// Words that no engine spoke, behind those that one did.
    unspoken: Vec<Arc<str>>,
    uncertainty: Duration,
    /// Whether it was stopped, and may go on.
    stopped: bool,
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
    /// The text of the line that ended last.
    last: Option<Arc<str>>,
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
            last: None,
        }
    }

    /// What a synthesizer is asked for a text.
    pub(super) fn request(&self, text: &Arc<str>, stretch: f32) -> SpeechRequest {
        SpeechRequest { text: Arc::clone(text), rate: self.rate, stretch }
    }

    /// Queues a line, whose sound is to come from this job.
    pub(super) fn say(&mut self, line: Line, job: JobId) {
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
            stopped: false,
        });
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
        let playing: usize = queued.playing.iter().map(|(_, speech)| speech.words.len()).sum();
        let waiting: usize = queued.waiting.iter().map(|speech| speech.words.len()).sum();
        let spoken = queued.heard.len() + playing + waiting;
        queued.unspoken = queued.line.text.split_whitespace().skip(spoken).map(Arc::from).collect();
        self.give_to_playout();
        self.retire();
        Some(id)
    }

    /// The job of the line that has had its turn for too long, and no sound.
    pub(super) fn overdue(&mut self, now: MediaTime) -> Option<JobId> {
        let stalled =
            |queued: &&Queued| !queued.complete && queued.playing.is_empty() && !queued.stopped;
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
        self.front().map(|queued| queued.line.interruptible)
    }

    /// The number of the line that is played now.
    pub(super) fn playing_id(&self) -> Option<u32> {
        self.front().map(|queued| queued.line.id)
    }

    /// Whether nothing has been heard yet of a line that is queued.
    pub(super) fn is_to_come(&self, line: u32) -> bool {
        self.lines.iter().any(|queued| queued.line.id == line && !queued.began)
    }

    /// Whether these words, in this order, are among those said of late.
    pub(super) fn has_said(&self, text: &str) -> bool {
        let queued = self.lines.front().map(|queued| &queued.line.text);
        let said = [self.last.as_ref(), queued];
        let said = said.into_iter().flatten().map(|text| text.to_lowercase()).collect::<Vec<_>>();
        let mut words = said.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric()));
        let heard = text.to_lowercase();
        !heard.trim().is_empty()
            && heard.split_whitespace().all(|word| words.any(|said| said == word))
    }

    /// The line that is played now: its number, its text, and how many words of it have been heard.
    pub(super) fn progress(&self) -> Option<(u32, &Arc<str>, usize)> {
        let queued = self.front()?;
        let playing = queued.playing.iter().map(|(clip, _)| self.playout.words_heard(*clip));
        Some((queued.line.id, &queued.line.text, queued.heard.len() + playing.sum::<usize>()))
    }

    fn front(&self) -> Option<&Queued> {
        self.lines.front().filter(|queued| queued.began && !queued.stopped)
    }

    /// Cuts every line that yields to `cut`; whether any did. Jobs not done yet are given to
    /// `cancel`. A line that does not yield keeps its place, and so do the ones behind it.
    pub(super) fn cut(&mut self, now: MediaTime, cut: Cut, cancel: &mut Vec<JobId>) -> bool {
        if !self.yields(cut) {
            return false;
        }
        self.take_back(now);
        for queued in std::mem::take(&mut self.lines) {
            self.drop_line(queued, cancel);
        }
        true
    }

    /// Stops every line, where all yield to speech; whether they did. They keep their sound and
    /// their places until [`Self::go_on`] or [`Self::drop_stopped`]; what is queued behind waits.
    /// What was not stopped is lowered no more.
    pub(super) fn stop(&mut self, now: MediaTime) -> bool {
        if self.is_stopped() || !self.yields(Cut::BySpeech) {
            self.playout.duck(false);
            return false;
        }
        self.take_back(now);
        self.lines.iter_mut().for_each(|queued| queued.stopped = true);
        // Heard to the last word, there is nothing to go on with.
        self.retire();
        true
    }

    /// Stops every line, whatever yields to what: nobody is there to hear it. It may go on as after
    /// [`Self::stop`].
    pub(super) fn pause(&mut self, now: MediaTime) -> bool {
        if self.is_stopped() || self.lines.is_empty() {
            return false;
        }
        self.take_back(now);
        self.lines.iter_mut().for_each(|queued| queued.stopped = true);
        self.retire();
        true
    }

    /// Whether lines were stopped and neither dropped nor gone on with.
    pub(super) fn is_stopped(&self) -> bool {
        self.lines.front().is_some_and(|queued| queued.stopped)
    }

    /// Goes on with what was stopped, at the first word that was not heard; gives its number.
    pub(super) fn go_on(&mut self) -> Option<u32> {
        let line = self.lines.front().filter(|queued| queued.stopped)?.line.id;
        self.lines.iter_mut().for_each(|queued| queued.stopped = false);
        self.give_to_playout();
        Some(line)
    }

    /// Drops what was stopped; whether there was any. What was queued since gets its turn.
    pub(super) fn drop_stopped(&mut self, cancel: &mut Vec<JobId>) -> bool {
        let mut any = false;
        while let Some(queued) = self.lines.pop_front_if(|queued| queued.stopped) {
            self.drop_line(queued, cancel);
            any = true;
        }
        self.retire();
        any
    }

    /// Lets the level fall while somebody speaks over it, or rise again.
    pub(super) fn duck(&mut self, ducked: bool) {
        self.playout.duck(ducked);
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
        let samples = samples.into();
        Clip { id, samples, words: Arc::from([]), rate: self.rate, gap: Duration::ZERO }
    }

    /// Gives every clip whose turn has come to the play-out; none while lines are stopped.
    fn give_to_playout(&mut self) {
        if self.is_stopped() {
            return;
        }
        let mut next = self.next_clip;
        for queued in &mut self.lines {
            while let Some(speech) = queued.waiting.pop_front() {
                let last = queued.complete && queued.waiting.is_empty();
                let clip = Clip {
                    id: next,
                    samples: speech.samples.clone(),
                    words: speech.words.iter().map(play_word).collect(),
                    rate: speech.rate,
                    gap: if last { GAP_AFTER } else { Duration::ZERO },
                };
                self.music = false;
                if self.playout.enqueue(clip).is_ok() {
                    queued.playing.push_back((next, speech));
                } else {
                    queued.unsaid.extend(texts(&speech));
                }
                next += 1;
            }
            if !queued.complete {
                break;
            }
        }
        self.next_clip = next;
    }

    fn clip_began(&mut self, clip: u32) {
        let queued = self.lines.iter_mut().find(|q| q.playing.iter().any(|(c, _)| *c == clip));
        let Some(queued) = queued.filter(|queued| !queued.began) else { return };
        queued.began = true;
        let (id, text) = (queued.line.id, queued.line.text.clone());
        let clip = queued.playing.iter().find(|(playing, _)| *playing == clip);
        let quiet = clip.map_or(Duration::ZERO, |(_, speech)| quiet_before(speech));
        self.events.push_back(VoiceEvent::Began { id, text, quiet });
    }

    fn clip_ended(&mut self, id: u32) {
        for queued in &mut self.lines {
            if let Some(place) = queued.playing.iter().position(|(clip, _)| *clip == id) {
                let (_, speech) = queued.playing.remove(place).expect("position found above");
                queued.heard.extend(texts(&speech));
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

    fn yields(&self, cut: Cut) -> bool {
        let yields = |line: &Line| match (cut, line.interruptible) {
            (Cut::All, _)
            | (Cut::BySpeech, Interruptible::Yes)
            | (Cut::ByKey, Interruptible::Yes | Interruptible::ByKeys) => true,
            (Cut::BySpeech, Interruptible::ByKeys | Interruptible::No)
            | (Cut::ByKey, Interruptible::No) => false,
        };
        !self.lines.is_empty() && self.lines.iter().all(|queued| yields(&queued.line))
    }

    /// Stops the play-out and books, clip by clip, which words were heard; the rest waits again.
    fn take_back(&mut self, now: MediaTime) {
        // The last one first: what is put in front then stands in order.
        for stopped in self.playout.stop(now).into_iter().rev() {
            for queued in &mut self.lines {
                let place = queued.playing.iter().position(|(clip, _)| *clip == stopped.id);
                let Some((_, speech)) = place.and_then(|place| queued.playing.remove(place)) else {
                    continue;
                };
                let heard = stopped.words_heard.min(speech.words.len());
                let words = speech.words[..heard].iter().map(|word| word.text.clone());
                queued.heard.extend(words);
                if let Some(rest) = rest(&speech, heard) {
                    queued.waiting.push_front(rest);
                }
                queued.uncertainty = UNCERTAINTY;
            }
        }
    }

    fn drop_line(&mut self, queued: Queued, cancel: &mut Vec<JobId>) {
        if !queued.complete {
            cancel.push(queued.job);
        }
        self.end(queued);
    }

    fn end(&mut self, mut queued: Queued) {
        let playing = queued.playing.drain(..).map(|(_, speech)| speech);
        for speech in playing.chain(queued.waiting.drain(..)) {
            queued.unsaid.extend(texts(&speech));
        }
        queued.unsaid.append(&mut queued.unspoken);
        if !queued.complete {
            // What the voice still owed.
            let known = queued.heard.len() + queued.unsaid.len();
            let owed = queued.line.text.split_whitespace().skip(known).map(Arc::from);
            queued.unsaid.extend(owed);
        }
        let text = |words: &[Arc<str>]| join(words.iter().map(AsRef::as_ref));
        let heard = Heard { text: text(&queued.heard), unsaid: text(&queued.unsaid) };
        // What was whole in the end has no boundary to be unsure of.
        let uncertainty = if heard.unsaid.is_empty() { Duration::ZERO } else { queued.uncertainty };
        self.last = Some(queued.line.text.clone());
        self.events.push_back(VoiceEvent::Ended { id: queued.line.id, heard, uncertainty });
    }
}

/// What is left of a speech from its word `from` on; nothing, where that is none.
fn rest(speech: &Speech, from: usize) -> Option<Speech> {
    let begin = speech.words.get(from)?.begin;
    let skipped = begin.as_secs_f64() * f64::from(speech.rate.hz());
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within a clip")]
    let skipped = (skipped as usize).min(speech.samples.len());
    let words = speech.words[from..].iter().map(|word| SpokenWord {
        text: word.text.clone(),
        begin: word.begin.saturating_sub(begin),
        end: word.end.saturating_sub(begin),
    });
    let words: Arc<[SpokenWord]> = words.collect();
    let samples = speech.samples.rest(skipped);
    let text = join(words.iter().map(|word| word.text.as_ref())).into();
    Some(Speech { text, rate: speech.rate, samples, words })
}

/// How long a sound is silent before it is to be heard.
fn quiet_before(speech: &Speech) -> Duration {
    let step = (speech.rate.hz() / 1_000 * HEARD_STEP_MS) as usize;
    let before = level::quiet_before(&speech.samples, step, HEARD_DBOV);
    Duration::from_micros(before as u64 * 1_000_000 / u64::from(speech.rate.hz()))
}

fn texts(speech: &Speech) -> impl Iterator<Item = Arc<str>> {
    speech.words.iter().map(|word| word.text.clone())
}

fn play_word(word: &SpokenWord) -> PlayWord {
    PlayWord { text: word.text.clone(), begin: word.begin, end: word.end }
}

fn join<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.collect::<Vec<&str>>().join(" ")
}

#[cfg(test)]
mod tests {
    use cordboard_models::scripted::ScriptedSynthesizer;
    use cordboard_models::speech::Synthesizer;

    use super::*;

    #[test]
    fn what_cannot_be_stopped_goes_on_at_its_level() {
        let rate = SampleRate::NARROW;
        let mut voice = Voice::new(rate);
        for (id, interruptible) in [(1, Interruptible::Yes), (2, Interruptible::No)] {
            let text: Arc<str> = Arc::from("It comes today by six");
            let request = SpeechRequest { text: text.clone(), rate, stretch: 1.0 };
            let line = Line { id, text, interruptible, stretch: 1.0 };
            voice.say(line, JobId(id));
            voice.spoken(JobId(id), &ScriptedSynthesizer.speak(&request).unwrap(), true);
        }
        let loudest = |voice: &mut Voice| {
            let mut frame = Frame::silence(MediaTime::ZERO, rate);
            let frames = (0..20).map(|_| {
                voice.pull_into(MediaTime::ZERO, &mut frame);
                level::rms(frame.samples())
            });
            frames.fold(0.0, f32::max)
        };
        let before = loudest(&mut voice);
        voice.duck(true);
        assert!(!voice.stop(MediaTime::ZERO), "the line behind is not to be stopped");
        assert!((loudest(&mut voice) - before).abs() < 0.1 * before, "it is lowered for good");
    }

    #[test]
    fn what_a_slow_voice_still_owed_of_a_line_that_is_cut_is_unsaid() {
        let rate = SampleRate::NARROW;
        let line = Line {
            id: 1,
            text: Arc::from("It comes today by six"),
            interruptible: Interruptible::Yes,
            stretch: 1.0,
        };
        let mut voice = Voice::new(rate);
        voice.say(line, JobId(7));
        let request = SpeechRequest { text: Arc::from("It comes"), rate, stretch: 1.0 };
        voice.spoken(JobId(7), &ScriptedSynthesizer.speak(&request).unwrap(), false);
        let mut cancelled = vec![];
        assert!(voice.cut(MediaTime::ZERO, Cut::BySpeech, &mut cancelled));
        assert_eq!(cancelled, [JobId(7)]);
        let heard = Heard { text: String::new(), unsaid: "It comes today by six".to_owned() };
        let uncertainty = UNCERTAINTY;
        assert_eq!(voice.poll_event(), Some(VoiceEvent::Ended { id: 1, heard, uncertainty }));
    }

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
