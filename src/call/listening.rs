//! Between the caller and the conversation: voice and keys become turns.
//!
//! Speech over the assistant is either its own matter (`turn/overlap`: an acknowledgement, a noise)
//! or stops it. What was stopped waits until the words are known: meant for the assistant, they go
//! to the conversation, and what was stopped is dropped; else it goes on at the word.

use cordboard_audio::MediaTime;
use cordboard_models::speech::Hypothesis;

use super::hearing::{Refusal, Spoken};
use super::voice::Cut;
use super::{Call, CallError, JobId, Output, Phase, Unanswered};
use crate::conversation::{Input, Interruptible};
use crate::timeline::{AsideKind, Debtor, LegKind, LegRole, What};
use crate::turn::{Aside, Due, FloorEvent, Manner, Meanwhile, TurnEvent, Utterance, aside};

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
        let meanwhile = match self.caller.voice.playing() {
            None => Meanwhile::Listens,
            Some(Interruptible::Yes) => Meanwhile::Yields,
            Some(Interruptible::ByKeys | Interruptible::No) => Meanwhile::Insists,
        };
        let heard = self.ear.hear(self.uplink.samples(), self.downlink.samples(), probability);
        if !heard.heard.is_zero() && self.floor.caller_holds() {
            self.buffer_ms = self.caller.buffer_ms(now);
        }
        for event in self.floor.hear(now, &heard, meanwhile).into_iter().flatten() {
            self.floor_event(now, event)?;
        }
        Ok(())
    }

    /// Does what an event of the floor means.
    pub(super) fn floor_event(
        &mut self,
        now: MediaTime,
        event: FloorEvent,
    ) -> Result<(), CallError> {
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
            FloorEvent::Ducking => {
                self.caller.voice.duck(true);
                if let Some(prompt) = self.caller.voice.playing_id() {
                    self.note(now, What::Ducked { prompt });
                }
            }
            FloorEvent::Released => self.caller.voice.duck(false),
            FloorEvent::Interrupting => self.stop_speaking(now),
            FloorEvent::Pausing => self.ask_if_over(now),
            FloorEvent::Resumed => {
                self.pause_over();
                self.forget_guess();
            }
            FloorEvent::Yielded { began, ended, manner } => {
                self.yielded(now, Spoken { began, ended, manner })?;
            }
        }
        Ok(())
    }

    fn yielded(&mut self, now: MediaTime, spoken: Spoken) -> Result<(), CallError> {
        self.pause_over();
        self.quiet_since = spoken.ended;
        let (speech_ended, buffer_ms) = (spoken.ended, self.buffer_ms);
        self.unanswered =
            Some(Unanswered { speech_ended, turn_ended: now, recognized: now, buffer_ms });
        if self.hearing.is_feeding() {
            self.hearing.finish(now, spoken, &mut self.out);
            return Ok(());
        }
        self.utter(now, spoken.unheard(), spoken.manner)
    }

    /// Stops the assistant down to the socket; what was stopped may go on.
    fn stop_speaking(&mut self, now: MediaTime) {
        let playing = self.caller.voice.playing_id();
        if !self.caller.voice.stop(now) {
            return;
        }
        self.flush();
        self.model_stopped = self.with_model.is_some();
        if let Some(prompt) = playing {
            self.note(now, What::Interrupted { prompt });
        }
    }

    /// Goes on with what was stopped, where nobody speaks and no words are awaited any more: what
    /// they came to has dropped it, or was nothing.
    pub(super) fn go_on(&mut self, now: MediaTime) {
        let is_away = self.caller.held && self.facts.leg == LegKind::Browser;
        let open = is_away || self.floor.caller_holds() || self.hearing.is_waiting();
        if open || self.phase != Phase::Talking {
            return;
        }
        if let Some(prompt) = self.caller.voice.go_on() {
            self.note(now, What::WentOn { prompt });
        }
    }

    /// The caller has the floor for good: what was stopped is dropped, and what yields to `cut` is
    /// cut. What was queued since speech stopped it is new to the caller, a tool's answer say, and
    /// stays, unless the model has added it to the answer that was stopped. The conversation knows
    /// what was heard before it hears of anything else.
    fn interrupt(&mut self, now: MediaTime, cut: Cut) -> Result<(), CallError> {
        let playing = self.caller.voice.playing_id();
        let dropped = self.drop_stopped();
        let is_new = dropped && cut == Cut::BySpeech && !self.model_stopped;
        let stopped = !is_new && self.cut(now, cut);
        if let (Some(prompt), true) = (playing, stopped) {
            self.note(now, What::Interrupted { prompt });
        }
        if dropped || stopped {
            self.tell(now, TurnEvent::Interrupted)?;
            self.settle_voices(now)?;
        }
        Ok(())
    }

    /// Drops what was stopped; whether there was any.
    fn drop_stopped(&mut self) -> bool {
        let mut cancelled = Vec::new();
        let dropped = self.caller.voice.drop_stopped(&mut cancelled);
        self.out.extend(cancelled.into_iter().map(Output::Cancel));
        dropped
    }

    /// Takes the floor from the caller and forgets what was being listened to.
    pub(super) fn stop_listening(&mut self) {
        self.floor.clear();
        self.pause_over();
        self.forget_guess();
        self.hearing.clear(&mut self.out);
        self.caller.voice.duck(false);
        self.drop_stopped();
    }

    /// Takes a recognizer's word.
    pub(super) fn recognized(
        &mut self,
        now: MediaTime,
        job: JobId,
        hypothesis: Hypothesis,
    ) -> Result<(), CallError> {
        match self.hearing.recognized(job, hypothesis) {
            Some((utterance, manner)) => {
                self.show_final(&utterance.text);
                self.utter(now, utterance, manner)
            }
            None => {
                self.show_partial();
                Ok(())
            }
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
            Refusal::Unheard(spoken) => {
                self.note(now, What::EngineFailed { role: "recognizer".to_owned(), why });
                self.utter(now, spoken.unheard(), spoken.manner)
            }
        }
    }

    /// Asks after verdicts that should have come by now.
    pub(super) fn overdue(&mut self, now: MediaTime) -> Result<(), CallError> {
        while let Some(spoken) = self.hearing.overdue(now, &mut self.out) {
            let why = "no verdict in time".to_owned();
            self.note(now, What::EngineFailed { role: "recognizer".to_owned(), why });
            self.utter(now, spoken.unheard(), spoken.manner)?;
        }
        Ok(())
    }

    fn utter(
        &mut self,
        now: MediaTime,
        utterance: Utterance,
        manner: Manner,
    ) -> Result<(), CallError> {
        if self.phase != Phase::Talking {
            return Ok(());
        }
        if manner != Manner::Turn || self.caller.voice.is_stopped() {
            if let Some(kind) = self.aside_kind(&utterance, manner) {
                self.spoke_aside(now, kind, utterance, manner);
                return Ok(());
            }
            self.interrupt(now, Cut::BySpeech)?;
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

    /// What was said over the assistant and not to it; none where it was meant.
    fn aside_kind(&self, utterance: &Utterance, manner: Manner) -> Option<AsideKind> {
        let returned = manner == Manner::Faint && self.caller.voice.has_said(&utterance.text);
        match aside(utterance, &self.expectation, self.question_is_out()) {
            Aside::Meant if returned => Some(AsideKind::Noise),
            Aside::Meant => None,
            Aside::Acknowledgement => Some(AsideKind::Acknowledgement),
            Aside::Noise => Some(AsideKind::Noise),
        }
    }

    /// Whether the question that stands has begun to be heard, so that a yes may answer it.
    fn question_is_out(&self) -> bool {
        self.asking.is_some_and(|line| !self.caller.voice.is_to_come(line))
    }

    /// Something was said that was not meant for the assistant, which goes on as if it was not.
    fn spoke_aside(
        &mut self,
        now: MediaTime,
        kind: AsideKind,
        utterance: Utterance,
        manner: Manner,
    ) {
        self.unanswered = None;
        let Utterance { text, began, ended, .. } = utterance;
        // Who is heard last, after a question say, waits for a word, even if it was only an
        // "mm-hm"; the question's own echo does not.
        let is_last = ended >= self.line_over && self.caller.voice.is_idle();
        self.asked &= !is_last || manner == Manner::Faint;
        let (began_ms, ended_ms) = (began.as_millis(), ended.as_millis());
        self.note(now, What::SpokeAside { kind, text, began_ms, ended_ms });
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

    /// The caller asks for a human by a button: as if it had been said.
    pub(super) fn person_wanted(&mut self, now: MediaTime) -> Result<(), CallError> {
        if self.phase != Phase::Talking {
            return Ok(());
        }
        self.ending.never_spoke = false;
        self.interrupt(now, Cut::ByKey)?;
        self.conversation.handle_input(now, Input::WantsPerson)?;
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
