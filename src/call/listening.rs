//! Between the caller and the conversation: voice and keys become turns.

use cordboard_audio::MediaTime;
use cordboard_models::speech::Hypothesis;

use super::hearing::Refusal;
use super::voice::Cut;
use super::{Call, CallError, JobId, Judgement, Output, Phase, Unanswered};
use crate::conversation::{Input, Interruptible};
use crate::timeline::{Debtor, LegRole, What};
use crate::turn::{Due, FloorEvent, TurnEvent, Utterance};

impl Call {
    /// Takes the probability that the caller's last frame was speech.
    pub(super) fn voice_heard(
        &mut self,
        now: MediaTime,
        probability: f32,
    ) -> Result<(), CallError> {
        if self.phase != Phase::Talking {
            return Ok(());
        }
        let yields = self.caller.voice.playing() == Some(Interruptible::Yes);
        for event in self.floor.voice(now, probability, yields).into_iter().flatten() {
            self.floor_event(now, event)?;
        }
        Ok(())
    }

    fn floor_event(&mut self, now: MediaTime, event: FloorEvent) -> Result<(), CallError> {
        match event {
            FloorEvent::Onset => {
                let job = self.job();
                self.hearing.begin(job, self.expectation.clone(), &mut self.out);
            }
            FloorEvent::Dropped => self.hearing.drop_current(&mut self.out),
            FloorEvent::Began { .. } => {
                self.ending.never_spoke = false;
                let over_assistant = self.caller.voice.playing().is_some();
                self.note(now, What::CallerBegan { over_assistant });
                self.tell(now, TurnEvent::CallerBegan)?;
            }
            FloorEvent::Interrupting => self.interrupt(now, Cut::BySpeech)?,
            FloorEvent::Pausing { silence } => self.out.push_back(Output::Judge(Judgement {
                hypothesis: self.hearing.partial().cloned(),
                expectation: self.expectation.clone(),
                silence,
            })),
            FloorEvent::Yielded { began, ended } => self.yielded(now, began, ended)?,
        }
        Ok(())
    }

    fn yielded(
        &mut self,
        now: MediaTime,
        began: MediaTime,
        ended: MediaTime,
    ) -> Result<(), CallError> {
        self.quiet_since = ended;
        self.unanswered =
            Some(Unanswered { speech_ended: ended, turn_ended: now, recognized: now });
        if self.hearing.is_feeding() {
            self.hearing.finish(now, (began, ended), &mut self.out);
            return Ok(());
        }
        let text = String::new();
        self.utter(now, Utterance { text, confidence: 0.0, rejected: true, began, ended })
    }

    fn interrupt(&mut self, now: MediaTime, cut: Cut) -> Result<(), CallError> {
        let playing = self.caller.voice.playing_id();
        if self.cut(now, cut) {
            if let Some(prompt) = playing {
                self.note(now, What::Interrupted { prompt });
            }
            self.tell(now, TurnEvent::Interrupted)?;
        }
        Ok(())
    }

    /// Takes the floor from the caller and forgets what was being listened to.
    pub(super) fn stop_listening(&mut self) {
        self.floor.clear();
        self.hearing.clear(&mut self.out);
    }

    /// Takes a recognizer's word.
    pub(super) fn recognized(
        &mut self,
        now: MediaTime,
        job: JobId,
        hypothesis: Hypothesis,
    ) -> Result<(), CallError> {
        match self.hearing.recognized(job, hypothesis) {
            Some(utterance) => self.utter(now, utterance),
            None => Ok(()),
        }
    }

    /// Takes the news that a recognition cannot be done.
    pub(super) fn unheard(
        &mut self,
        now: MediaTime,
        job: JobId,
        why: String,
    ) -> Result<(), CallError> {
        match self.hearing.refused(job) {
            Refusal::NotOurs => Ok(()),
            Refusal::WhileSpeaking => {
                self.note(now, What::EngineFailed { role: "recognizer".to_owned(), why });
                Ok(())
            }
            Refusal::Unheard(utterance) => {
                self.note(now, What::EngineFailed { role: "recognizer".to_owned(), why });
                self.utter(now, utterance)
            }
        }
    }

    /// Asks after verdicts that should have come by now.
    pub(super) fn overdue(&mut self, now: MediaTime) -> Result<(), CallError> {
        while let Some(utterance) = self.hearing.overdue(now, &mut self.out) {
            let why = "no verdict in time".to_owned();
            self.note(now, What::EngineFailed { role: "recognizer".to_owned(), why });
            self.utter(now, utterance)?;
        }
        Ok(())
    }

    fn utter(&mut self, now: MediaTime, utterance: Utterance) -> Result<(), CallError> {
        if self.phase != Phase::Talking {
            return Ok(());
        }
        self.asked = false;
        if let Some(turn) = self.unanswered.as_mut() {
            turn.recognized = now;
        }
        self.note(
            now,
            What::CallerSpoke {
                text: utterance.text.clone(),
                confidence: utterance.confidence,
                rejected: utterance.rejected,
                began_ms: utterance.began.as_millis(),
                ended_ms: utterance.ended.as_millis(),
            },
        );
        self.tell(now, TurnEvent::CallerYielded(utterance))
    }

    /// Takes a key of the caller.
    pub(super) fn keyed(
        &mut self,
        now: MediaTime,
        digit: char,
        duration_ms: u32,
    ) -> Result<(), CallError> {
        self.ending.never_spoke = false;
        self.note(now, What::Keyed { role: LegRole::Caller, digit, duration_ms });
        if self.bridged {
            self.cross_key(LegRole::Agent, digit, duration_ms);
            return Ok(());
        }
        if self.phase != Phase::Talking {
            return Ok(());
        }
        // Who presses keys while we have to speak is not put off by it.
        if self.debtor() == Debtor::Caller {
            self.quiet_since = now;
            self.silence.sounding();
        }
        self.interrupt(now, Cut::ByKey)?;
        self.conversation.handle_input(now, Input::Keyed { digit })?;
        Ok(())
    }

    /// Looks after the silence of the caller and of the assistant.
    pub(super) fn mind_silence(&mut self, now: MediaTime) -> Result<(), CallError> {
        let sounding = self.caller.voice.is_sounding() || self.is_at_rest();
        if sounding {
            self.quiet_since = now;
        }
        if sounding || self.floor.caller_holds() {
            self.silence.sounding();
            return Ok(());
        }
        let debtor = self.debtor();
        self.silence.quiet(now, self.quiet_since, debtor);
        let Some(due) = self.silence.due(now) else { return Ok(()) };
        let explained = self.hearing.is_waiting() || !self.caller.voice.is_idle();
        if matches!(due, Due::Filler(_)) && (explained || self.phase != Phase::Talking) {
            // What was said is not known yet, and soon is; or the answer is on its way.
            self.silence.defer();
            return Ok(());
        }
        let (Due::Filler(lasting) | Due::Tone(lasting) | Due::Prompting(lasting)) = due;
        let for_ms = u64::try_from(lasting.as_millis()).unwrap_or(u64::MAX);
        self.note(now, What::Silence { owed_by: debtor, for_ms });
        if matches!(due, Due::Tone(_)) {
            self.caller.voice.tone(self.settings.tones.waiting.clone());
            return Ok(());
        }
        self.tell(now, TurnEvent::Silence { owed_by: debtor, lasting })
    }

    /// Whether no silence is anybody's debt: a human talks, or the caller has us on hold.
    const fn is_at_rest(&self) -> bool {
        let talks = match self.phase {
            Phase::Talking | Phase::HandedOver | Phase::Closing { .. } => true,
            Phase::Ringing | Phase::Answering | Phase::Parting { .. } | Phase::Over => false,
        };
        !talks || self.bridged || self.caller.held
    }

    fn tell(&mut self, now: MediaTime, event: TurnEvent) -> Result<(), CallError> {
        self.conversation.handle_input(now, Input::Turn(event))?;
        Ok(())
    }
}
