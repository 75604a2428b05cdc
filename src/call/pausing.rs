//! The caller pauses: is the turn over?
//!
//! The words are judged at once, at each step of the silence; where they leave it open the sound is
//! judged too, by a slower judge, once in a pause. Its answer counts if the caller is still silent.

use std::time::Duration;

use cordboard_audio::MediaTime;

use super::{Call, CallError, Job, JobId, Judgement, Output};
use crate::turn::WORDS_JUDGED_AT;

/// Sound from before the first voice that belongs to the turn: a soft consonant, and the room.
const BEFORE: Duration = Duration::from_millis(500);

/// What has been asked of the present pause.
#[derive(Debug, Default)]
pub(super) struct Pausing {
    /// The question that is open.
    open: Option<JobId>,
    /// Whether one has been asked in this pause.
    asked: bool,
}

impl Call {
    /// Asks the judges of a pause. Without words so far one of words knows nothing.
    pub(super) fn ask_if_over(&mut self, now: MediaTime) {
        match self.hearing.partial().filter(|partial| !partial.text.is_empty()).cloned() {
            Some(hypothesis) => {
                let (hypothesis, expectation) = (Some(hypothesis), self.expectation.clone());
                let question = Judgement { hypothesis, expectation, silence: WORDS_JUDGED_AT };
                self.out.push_back(Output::Judge(question));
            }
            None if self.floor.wants_sound() => self.ask_by_sound(now),
            None => {}
        }
    }

    /// Takes what the words say, and asks after the sound where they leave it open.
    pub(super) fn words_judged(&mut self, now: MediaTime, over: f32) {
        self.floor.judged(over);
        self.foresee(now, over);
        if self.floor.wants_sound() {
            self.ask_by_sound(now);
        }
    }

    /// Takes what the sound says.
    pub(super) fn sound_judged(
        &mut self,
        now: MediaTime,
        job: JobId,
        over: f32,
    ) -> Result<(), CallError> {
        if self.pausing.open.take_if(|open| *open == job).is_some() {
            self.foresee(now, over);
            for event in self.floor.sound_judged(now, over).into_iter().flatten() {
                self.floor_event(now, event)?;
            }
        }
        Ok(())
    }

    /// Takes the news that nobody judges the sound; whether it was asked.
    pub(super) fn sound_unjudged(&mut self, job: JobId) -> bool {
        self.pausing.open.take_if(|open| *open == job).is_some()
    }

    /// The pause is over, whichever way.
    pub(super) fn pause_over(&mut self) {
        let Pausing { open, .. } = std::mem::take(&mut self.pausing);
        self.out.extend(open.map(Output::Cancel));
    }

    fn ask_by_sound(&mut self, now: MediaTime) {
        let Some(began) = self.floor.began().filter(|_| self.settings.turn.judges_sound) else {
            return;
        };
        if std::mem::replace(&mut self.pausing.asked, true) {
            return;
        }
        let job = self.job();
        self.pausing.open = Some(job);
        let lasting = now.since(began) + BEFORE;
        self.out.push_back(Output::Work(Job::JudgeSound { job, lasting }));
    }
}
