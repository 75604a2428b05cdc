//! The caller's words: from the floor's onset to the recognizer's verdict.
//!
//! The sound just before the onset is kept, so that the first word is whole. One recognition runs
//! at a time; a new turn that begins before the verdict of the last one waits for nothing: the
//! sound of it is fed to a recognition of its own.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::{Frame, MediaTime};
use cordboard_models::speech::{Expectation, Hypothesis, HypothesisKind};

use super::{Job, JobId, Output};
use crate::turn::{Manner, Utterance};

/// Frames kept from before the onset: 300 ms, the detector's own delay and a soft consonant.
const PREROLL_FRAMES: usize = 15;
/// A verdict that has not come by then does not come: the caller is asked again.
const VERDICT_WITHIN: Duration = Duration::from_millis(2_200);

#[derive(Debug)]
struct Verdict {
    job: JobId,
    spoken: Spoken,
    deadline: MediaTime,
}

/// A turn of the caller whose words are awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spoken {
    /// First and last voice.
    pub(super) began: MediaTime,
    pub(super) ended: MediaTime,
    /// How it stood to the assistant's speech.
    pub(super) manner: Manner,
}

/// Listens to the caller.
#[derive(Debug)]
pub(super) struct Hearing {
    preroll: VecDeque<Frame>,
    /// The recognition that is still to be given sound from before it, and which of it is next.
    earlier: Option<(JobId, usize)>,
    feeding: Option<JobId>,
    awaited: VecDeque<Verdict>,
    partial: Option<Hypothesis>,
}

impl Hearing {
    /// Makes ears that hear nothing yet.
    pub(super) fn new() -> Self {
        Self {
            preroll: VecDeque::with_capacity(PREROLL_FRAMES),
            earlier: None,
            feeding: None,
            awaited: VecDeque::new(),
            partial: None,
        }
    }

    /// Takes the caller's sound of a tick.
    pub(super) fn hear(&mut self, frame: Frame, out: &mut VecDeque<Output>) {
        if let Some(job) = self.feeding {
            out.push_back(Output::Feed(job, frame));
        }
        if self.preroll.len() == PREROLL_FRAMES {
            self.preroll.pop_front();
        }
        self.preroll.push_back(frame);
    }

    /// Begins a recognition with the sound just gone.
    pub(super) fn begin(
        &mut self,
        job: JobId,
        expectation: Arc<Expectation>,
        out: &mut VecDeque<Output>,
    ) {
        self.partial = None;
        self.feeding = Some(job);
        out.push_back(Output::Work(Job::Recognize { job, expectation }));
        self.earlier = Some((job, 0));
    }

    /// Gives the next frame from before the recognition. They leave from where they lie: as
    /// outputs that wait they would hold, for each call, three times their room for good.
    pub(super) fn poll_earlier(&mut self) -> Option<Output> {
        let (job, next) = self.earlier.take()?;
        let frame = self.preroll.get(next)?;
        self.earlier = Some((job, next + 1));
        Some(Output::Feed(job, *frame))
    }

    /// Drops the recognition that is being fed: it was no speech.
    pub(super) fn drop_current(&mut self, out: &mut VecDeque<Output>) {
        out.extend(self.feeding.take().map(Output::Cancel));
        self.earlier = None;
        self.partial = None;
    }

    /// Ends the feeding and waits for the verdict.
    pub(super) fn finish(&mut self, now: MediaTime, spoken: Spoken, out: &mut VecDeque<Output>) {
        let Some(job) = self.feeding.take() else { return };
        out.push_back(Output::Finish(job));
        self.awaited.push_back(Verdict { job, spoken, deadline: now + VERDICT_WITHIN });
    }

    /// Takes a recognizer's word; the utterance, and how it stood to the assistant's speech, where
    /// it is the verdict.
    pub(super) fn recognized(
        &mut self,
        job: JobId,
        hypothesis: Hypothesis,
    ) -> Option<(Utterance, Manner)> {
        if hypothesis.kind == HypothesisKind::Partial {
            if self.feeding == Some(job) {
                self.partial = Some(hypothesis);
            }
            return None;
        }
        let place = self.awaited.iter().position(|verdict| verdict.job == job)?;
        let spoken = self.awaited.remove(place)?.spoken;
        let utterance = Utterance {
            rejected: hypothesis.kind == HypothesisKind::Rejected,
            text: hypothesis.text,
            confidence: hypothesis.confidence,
            began: spoken.began,
            ended: spoken.ended,
        };
        Some((utterance, spoken.manner))
    }

    /// Takes the news that a recognition cannot be done; the turn where it had ended.
    pub(super) fn refused(&mut self, job: JobId) -> Refusal {
        if self.feeding == Some(job) {
            self.feeding = None;
            return Refusal::WhileSpeaking;
        }
        match self.awaited.iter().position(|verdict| verdict.job == job) {
            Some(place) => {
                let verdict = self.awaited.remove(place).expect("position found above");
                Refusal::Unheard(verdict.spoken)
            }
            None => Refusal::NotOurs,
        }
    }

    /// The turns whose verdict did not come in time.
    pub(super) fn overdue(&mut self, now: MediaTime, out: &mut VecDeque<Output>) -> Option<Spoken> {
        let late = self.awaited.front().is_some_and(|verdict| now >= verdict.deadline);
        let verdict = late.then(|| self.awaited.pop_front()).flatten()?;
        out.push_back(Output::Cancel(verdict.job));
        Some(verdict.spoken)
    }

    /// Whether a verdict is awaited.
    pub(super) fn is_waiting(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// When the next verdict is overdue.
    pub(super) fn deadline(&self) -> Option<MediaTime> {
        self.awaited.front().map(|verdict| verdict.deadline)
    }

    /// The words so far of the turn that is being spoken.
    pub(super) fn partial(&self) -> Option<&Hypothesis> {
        self.partial.as_ref()
    }

    /// Whether the present turn is being listened to.
    pub(super) fn is_feeding(&self) -> bool {
        self.feeding.is_some()
    }

    /// Forgets all, as when a human takes over.
    pub(super) fn clear(&mut self, out: &mut VecDeque<Output>) {
        self.drop_current(out);
        out.extend(self.awaited.drain(..).map(|verdict| Output::Cancel(verdict.job)));
    }
}

/// What a refused recognition means.
#[derive(Debug, PartialEq)]
pub(super) enum Refusal {
    /// The job was none of ours.
    NotOurs,
    /// The caller still speaks and is not listened to.
    WhileSpeaking,
    /// The caller had spoken and was not understood.
    Unheard(Spoken),
}

impl Spoken {
    /// The same without a word understood.
    pub(super) const fn unheard(self) -> Utterance {
        let Self { began, ended, .. } = self;
        Utterance { text: String::new(), confidence: 0.0, rejected: true, began, ended }
    }
}
