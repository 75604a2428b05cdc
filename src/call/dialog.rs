//! Between the conversation and the caller: its moves become lines, jobs and effects; what became
//! of the lines comes back to it.

use std::sync::Arc;
use std::time::Duration;

use cordboard_audio::MediaTime;
use cordboard_models::speech::{AnswerEvent, AnswerRequest, Speech};

use super::voice::{Cut, Line, VoiceEvent};
use super::{Call, CallError, Effect, Job, JobId, LegCommand, OWN_LINES_FROM, Output, Phase};
use crate::conversation::{
    AnswerOrder, Heard, Input, Interruptible, Move, Output as Talk, Prompt, PromptId,
};
use crate::escalation::Input as Escalating;
use crate::timeline::{Debtor, LegRole, What};

/// How long what is queued may take before we hang up all the same.
const CLOSING_MAX: Duration = Duration::from_secs(30);

/// The conversation counts its prompts from 1, and begins with the disclosure.
const FIRST_PROMPT: u32 = 1;

impl Call {
    /// Drains the conversation; whether it did anything.
    pub(super) fn settle_conversation(&mut self, now: MediaTime) -> Result<bool, CallError> {
        let mut moved = false;
        loop {
            match self.conversation.poll_output() {
                Talk::Move(wanted) => self.make(now, wanted)?,
                Talk::Note(what) if self.is_to_be_noted(&what) => self.note(now, what),
                Talk::Note(_) => {}
                Talk::Wait(deadline) => {
                    self.conversation_deadline = deadline;
                    return Ok(moved);
                }
            }
            moved = true;
        }
    }

    /// The conversation is not told that the caller is gone, or is being said goodbye to: a tool
    /// that answers then would make it go on. What the tool did is entered; nothing new is begun.
    const fn is_to_be_noted(&self, what: &What) -> bool {
        matches!(self.phase, Phase::Talking) || matches!(what, What::ToolAnswered { .. })
    }

    fn make(&mut self, now: MediaTime, wanted: Move) -> Result<(), CallError> {
        if let Move::DropAnswer(order) = wanted {
            self.drop_answer(Some(order));
            return Ok(());
        }
        if self.phase != Phase::Talking {
            return Ok(());
        }
        match wanted {
            Move::Say(prompt) => self.say_prompt(&prompt),
            Move::Ask(prompt, expectation) => {
                self.asked = true;
                self.asking = Some(prompt.id.0);
                self.expectation = expectation.clone();
                self.floor.expect(expectation);
                self.say_prompt(&prompt);
            }
            Move::Listen(expectation) => {
                self.asked = true;
                self.expectation = expectation.clone();
                self.floor.expect(expectation);
            }
            Move::Answer(AnswerOrder { id, request }) => {
                self.asked = false;
                self.ask_model(now, id, request)?;
            }
            Move::DropAnswer(_) => {}
            Move::Invoke(invocation) => {
                self.asked = false;
                self.tools_pending += 1;
                self.out.push_back(Output::Effect(Effect::Invoke(invocation)));
            }
            Move::Rank(request) => {
                self.asked = false;
                self.out.push_back(Output::Work(Job::Rank(request)));
            }
            Move::Escalate { trigger, reason, queue } => {
                return self.begin_handover(now, trigger, reason, queue);
            }
            Move::Hangup => {
                self.ending.gave_up = true;
                self.stop_listening();
                self.phase = Phase::Closing { by: now + CLOSING_MAX };
            }
        }
        Ok(())
    }

    /// Lets the language model answer, where it is not at it already.
    fn ask_model(
        &mut self,
        now: MediaTime,
        order: u32,
        request: Arc<AnswerRequest>,
    ) -> Result<(), CallError> {
        if let Some(early) = self.answer_foreseen(&request) {
            self.with_model = Some((order, early.job));
            for event in early.events {
                self.model_answered(now, early.job, event)?;
            }
            return Ok(());
        }
        let job = self.job();
        self.with_model = Some((order, job));
        self.out.push_back(Output::Work(Job::Answer { job, request }));
        Ok(())
    }

    /// Takes what the language model gave; what it gives after it was called off is dropped.
    pub(super) fn model_answered(
        &mut self,
        now: MediaTime,
        job: JobId,
        event: AnswerEvent,
    ) -> Result<(), CallError> {
        let Some((order, _)) = self.with_model.filter(|(_, known)| *known == job) else {
            self.answered_early(now, job, &event);
            return Ok(());
        };
        if event == AnswerEvent::Ended {
            self.with_model = None;
        }
        self.conversation.handle_input(now, Input::Answered { order, event })?;
        Ok(())
    }

    /// Calls the language model off: of that order, or of any.
    pub(super) fn drop_answer(&mut self, order: Option<u32>) {
        let is_it = |known: &mut (u32, JobId)| order.is_none_or(|order| order == known.0);
        if let Some((_, job)) = self.with_model.take_if(is_it) {
            self.out.push_back(Output::Cancel(job));
        }
    }

    fn say_prompt(&mut self, prompt: &Prompt) {
        let line = Line {
            id: prompt.id.0,
            text: prompt.text.clone(),
            interruptible: prompt.interruptible,
            stretch: prompt.stretch,
        };
        self.say(LegRole::Caller, line);
    }

    /// Says a line of the call's own on a leg; gives its number.
    pub(super) fn say_own(
        &mut self,
        role: LegRole,
        text: impl Into<Arc<str>>,
        interruptible: Interruptible,
    ) -> u32 {
        let id = self.next_own_line;
        self.next_own_line += 1;
        self.say(role, Line { id, text: text.into(), interruptible, stretch: 1.0 });
        id
    }

    fn say(&mut self, role: LegRole, line: Line) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        let request = self.caller.voice.request(&line.text, line.stretch);
        if role == LegRole::Caller
            && let Some(early) = self.line_foreseen(&request)
        {
            self.caller.voice.say(line, early.job);
            for (speech, last) in early.sound {
                self.caller.voice.spoken(early.job, &speech, last);
            }
            return;
        }
        let job = self.job();
        let leg = match role {
            LegRole::Caller => Some(&mut self.caller),
            LegRole::Agent => self.agent.as_deref_mut(),
        };
        if let Some(leg) = leg {
            let request = leg.voice.request(&line.text, line.stretch);
            leg.voice.say(line, job);
            self.out.push_back(Output::Work(Job::Speak { job, request }));
        }
    }

    /// Takes synthesized sound to the voice that asked for it.
    pub(super) fn spoken(&mut self, job: JobId, speech: &Speech, last: bool) {
        let taken =
            self.caller.voice.spoken(job, speech, last) || self.spoken_early(job, speech, last);
        if let (false, Some(agent)) = (taken, self.agent.as_mut()) {
            agent.voice.spoken(job, speech, last);
        }
    }

    /// Takes the news that a job cannot be done.
    pub(super) fn refused(
        &mut self,
        now: MediaTime,
        job: JobId,
        why: String,
    ) -> Result<(), CallError> {
        if self.sound_unjudged(job) || self.refused_early(job) {
            return Ok(());
        }
        let sorry = self.settings.tones.sorry.clone();
        let fault = What::EngineFailed { role: "synthesizer".to_owned(), why: why.clone() };
        if let Some(line) = self.caller.voice.refused(job) {
            self.caller.voice.tone(sorry);
            self.note(now, fault);
            return self.unspoken_to_caller(now, line);
        }
        if let Some(agent) = self.agent.as_deref_mut()
            && agent.voice.refused(job).is_some()
        {
            agent.voice.tone(sorry);
            self.note(now, fault);
            return Ok(());
        }
        if let Some((order, _)) = self.with_model.take_if(|(_, known)| *known == job) {
            self.conversation.handle_input(now, Input::AnswerFailed { order, why })?;
            return Ok(());
        }
        self.unheard(now, job, why)
    }

    /// A question that no voice could ask leaves the next word to us.
    fn unspoken_to_caller(&mut self, now: MediaTime, line: u32) -> Result<(), CallError> {
        if line < OWN_LINES_FROM {
            self.asked &= self.asking != Some(line);
            self.conversation.handle_input(now, Input::Unspoken { prompt: PromptId(line) })?;
        } else {
            // Whatever was asked before, it was ours to say this.
            self.asked = false;
        }
        Ok(())
    }

    /// Gives up lines whose sound should have come by now.
    pub(super) fn unspoken(&mut self, now: MediaTime) -> Result<(), CallError> {
        let caller = self.caller.voice.overdue(now);
        let agent = self.agent.as_mut().and_then(|agent| agent.voice.overdue(now));
        for job in [caller, agent].into_iter().flatten() {
            self.out.push_back(Output::Cancel(job));
            self.refused(now, job, "no sound in time".to_owned())?;
        }
        Ok(())
    }

    /// Drains the voices; whether anything happened.
    pub(super) fn settle_voices(&mut self, now: MediaTime) -> Result<bool, CallError> {
        let mut moved = false;
        while let Some(event) = self.caller.voice.poll_event() {
            moved = true;
            match event {
                VoiceEvent::Began { id, text, quiet } => {
                    self.line_began(now, id, &text, now + quiet);
                }
                VoiceEvent::Ended { id, heard, uncertainty } => {
                    self.line_ended(now, id, heard, uncertainty)?;
                }
            }
        }
        let mut brief = Vec::new();
        if let Some(agent) = self.agent.as_mut() {
            while let Some(event) = agent.voice.poll_event() {
                brief.push(event);
            }
        }
        for event in brief {
            moved = true;
            if let VoiceEvent::Ended { id, .. } = event {
                self.agent_line_ended(now, id)?;
            }
        }
        Ok(moved)
    }

    /// Notes that a line began; it is to be heard from `sounds` on.
    fn line_began(&mut self, now: MediaTime, id: u32, text: &Arc<str>, sounds: MediaTime) {
        if let Some(turn) = self.unanswered.take() {
            self.note(
                now,
                What::Latency {
                    speech_ended_ms: turn.speech_ended.as_millis(),
                    turn_ended_ms: turn.turn_ended.as_millis(),
                    recognized_ms: turn.recognized.as_millis(),
                    first_sound_ms: sounds.as_millis(),
                    buffer_ms: turn.buffer_ms,
                },
            );
        }
        self.note(now, What::PromptBegan { prompt: id, text: text.to_string() });
    }

    fn line_ended(
        &mut self,
        now: MediaTime,
        id: u32,
        heard: Heard,
        uncertainty: Duration,
    ) -> Result<(), CallError> {
        let what = What::PromptEnded {
            prompt: id,
            heard: heard.text.clone(),
            unsaid: heard.unsaid.clone(),
            uncertainty_ms: u32::try_from(uncertainty.as_millis()).unwrap_or(u32::MAX),
        };
        self.note(now, what);
        self.line_over = now;
        self.show_line_over(id, &heard.text, &heard.unsaid);
        if id == FIRST_PROMPT && heard.unsaid.is_empty() {
            self.begin_recording(now);
        }
        if id < OWN_LINES_FROM {
            let prompt = PromptId(id);
            self.conversation.handle_input(now, Input::PromptEnded { prompt, heard })?;
        } else if self.ending.announcing == Some(id) {
            self.ending.announcing = None;
            self.escalate(now, Escalating::Announced)?;
        }
        Ok(())
    }

    /// Stops what yields to `cut`; whether anything was stopped.
    pub(super) fn cut(&mut self, now: MediaTime, cut: Cut) -> bool {
        let mut cancelled = Vec::new();
        let stopped = self.caller.voice.cut(now, cut, &mut cancelled);
        self.out.extend(cancelled.into_iter().map(Output::Cancel));
        if stopped {
            self.flush();
        }
        stopped
    }

    /// Takes back what the caller's leg was given and has not sent.
    pub(super) fn flush(&mut self) {
        if self.caller.sending {
            self.out.push_back(Output::Leg(LegRole::Caller, LegCommand::Flush));
        }
    }

    /// Who owes the next sound, while nobody makes one.
    pub(super) fn debtor(&self) -> Debtor {
        let owed = self.phase != Phase::Talking
            || !self.asked
            || self.hearing.is_waiting()
            || !self.caller.voice.is_idle();
        if owed { Debtor::Assistant } else { Debtor::Caller }
    }

    /// The recording begins when the first thing said, which announces it, has been heard whole;
    /// where it was not, nothing is recorded.
    fn begin_recording(&mut self, now: MediaTime) {
        if self.settings.record && self.recording.is_none() && self.facts.flow.announces_recording()
        {
            self.recording = Some(now);
            self.note(now, What::RecordingBegan);
        }
    }
}
