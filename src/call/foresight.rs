//! Work begun before the turn is over: while the caller pauses and the end is likely, a copy of
//! the conversation is told the words so far, and what it would say and ask the language model is
//! begun.
//!
//! Only work that may be cancelled is begun; tools, hand-overs and entries of the copy come to
//! nothing. The conversation itself is told nothing before the verdict: what it then wants is
//! looked up here by its content, so that a wrong guess costs work and changes no word. What it
//! does not want at once is called off, and so is all of it where the caller goes on.

use std::sync::Arc;

use cordboard_audio::MediaTime;
use cordboard_models::speech::{AnswerEvent, AnswerRequest, Speech, SpeechRequest};

use super::{Call, Job, JobId, Output, Phase};
use crate::conversation::{AnswerOrder, Conversation, Input, Move, Output as Talk, Prompt};
use crate::timeline::What;
use crate::turn::{TurnEvent, Utterance};

/// From this probability that the turn is over it is worth to begin.
const LIKELY: f32 = 0.5;
/// Lines that are begun for one guess.
const LINES: usize = 4;
/// Guesses in one turn of the caller: who pauses often is listened to.
const GUESSES: u32 = 3;

/// What has been begun.
#[derive(Debug, Default)]
pub(super) struct Foresight {
    guess: Option<Box<Guess>>,
    /// Guesses in the present turn.
    guesses: u32,
}

#[derive(Debug)]
struct Guess {
    /// The words it stands on.
    words: String,
    /// The conversation as it would be.
    conversation: Conversation,
    lines: Vec<EarlyLine>,
    answer: Option<EarlyAnswer>,
    /// Whether the conversation has wanted some of it.
    came_true: bool,
}

/// A line whose sound is being made.
#[derive(Debug)]
pub(super) struct EarlyLine {
    pub(super) job: JobId,
    request: SpeechRequest,
    /// What has come of it, and whether that was the last.
    pub(super) sound: Vec<(Speech, bool)>,
}

/// An answer that the language model is at.
#[derive(Debug)]
pub(super) struct EarlyAnswer {
    pub(super) job: JobId,
    request: Arc<AnswerRequest>,
    /// The copy's number of it.
    order: u32,
    /// What has come of it.
    pub(super) events: Vec<AnswerEvent>,
}

impl EarlyLine {
    fn is_whole(&self) -> bool {
        self.sound.last().is_some_and(|(_, last)| *last)
    }
}

impl EarlyAnswer {
    fn is_whole(&self) -> bool {
        self.events.last() == Some(&AnswerEvent::Ended)
    }
}

impl Foresight {
    /// Takes the line that is being made for this request.
    fn take_line(&mut self, request: &SpeechRequest) -> Option<EarlyLine> {
        let guess = self.guess.as_mut()?;
        let place = guess.lines.iter().position(|line| line.request == *request)?;
        guess.came_true = true;
        Some(guess.lines.swap_remove(place))
    }

    /// Takes the answer that is being made to this request.
    fn take_answer(&mut self, request: &AnswerRequest) -> Option<EarlyAnswer> {
        let guess = self.guess.as_mut()?;
        let answer = guess.answer.take_if(|answer| *answer.request == *request)?;
        guess.came_true = true;
        Some(answer)
    }
}

impl Call {
    /// The turn may be over with this probability: begins what would follow.
    pub(super) fn foresee(&mut self, now: MediaTime, over: f32) {
        let is_turn = self.caller.voice.is_idle() && self.phase == Phase::Talking;
        // A model that is at an answer is not asked beside it: the call has one answer at a time.
        let is_turn = is_turn && self.with_model.is_none();
        if over < LIKELY || !is_turn || !self.settings.turn.eager {
            return;
        }
        let (Some(partial), Some(began)) = (self.hearing.partial(), self.floor.began()) else {
            return;
        };
        let words = partial.text.clone();
        let known = self.foresight.guess.as_ref().is_some_and(|guess| guess.words == words);
        if words.is_empty() || known || self.foresight.guesses >= GUESSES {
            return;
        }
        self.forget_guess();
        self.foresight.guesses += 1;
        // As if all had been heard well: what was not is asked again, which is begun for nobody.
        let utterance =
            Utterance { text: words.clone(), confidence: 1.0, rejected: false, began, ended: now };
        let mut guess = Box::new(Guess {
            words,
            conversation: self.conversation.clone(),
            lines: Vec::new(),
            answer: None,
            came_true: false,
        });
        let yielded = Input::Turn(TurnEvent::CallerYielded(utterance));
        if guess.conversation.handle_input(now, yielded).is_ok() {
            self.begin_early(&mut guess);
            self.foresight.guess = Some(guess);
        }
    }

    /// Begins what the copy wants, as far as it may be called off again.
    fn begin_early(&mut self, guess: &mut Guess) {
        loop {
            match guess.conversation.poll_output() {
                Talk::Move(Move::Say(prompt) | Move::Ask(prompt, _)) => {
                    self.begin_line(guess, &prompt);
                }
                Talk::Move(Move::Answer(AnswerOrder { id, request })) => {
                    let job = self.job();
                    self.out.push_back(Output::Work(Job::Answer { job, request: request.clone() }));
                    let events = Vec::new();
                    guess.answer = Some(EarlyAnswer { job, request, order: id, events });
                }
                Talk::Move(_) | Talk::Note(_) => {}
                Talk::Wait(_) => return,
            }
        }
    }

    fn begin_line(&mut self, guess: &mut Guess, prompt: &Prompt) {
        let request = self.caller.voice.request(&prompt.text, prompt.stretch);
        if guess.lines.len() < LINES {
            let job = self.job();
            self.out.push_back(Output::Work(Job::Speak { job, request: request.clone() }));
            guess.lines.push(EarlyLine { job, request, sound: Vec::new() });
        }
    }

    /// Takes sound that was made early; whether it was.
    pub(super) fn spoken_early(&mut self, job: JobId, speech: &Speech, last: bool) -> bool {
        let lines = self.foresight.guess.iter_mut().flat_map(|guess| &mut guess.lines);
        let Some(line) = lines.into_iter().find(|line| line.job == job) else { return false };
        line.sound.push((speech.clone(), last));
        true
    }

    /// Takes a part of an answer that was asked for early; whether it was.
    pub(super) fn answered_early(
        &mut self,
        now: MediaTime,
        job: JobId,
        event: &AnswerEvent,
    ) -> bool {
        let Some(mut guess) = self.foresight.guess.take() else { return false };
        let is_its = guess.answer.as_mut().filter(|answer| answer.job == job).map(|answer| {
            answer.events.push(event.clone());
            answer.order
        });
        if let Some(order) = is_its {
            let event = event.clone();
            // A copy that refuses it wants nothing more.
            if guess.conversation.handle_input(now, Input::Answered { order, event }).is_ok() {
                self.begin_early(&mut guess);
            }
        }
        self.foresight.guess = Some(guess);
        is_its.is_some()
    }

    /// Takes the news that work begun early cannot be done; whether it was such. Nobody has asked
    /// for it yet, so that nobody is told.
    pub(super) fn refused_early(&mut self, job: JobId) -> bool {
        let Some(guess) = self.foresight.guess.as_mut() else { return false };
        let lines = guess.lines.len();
        guess.lines.retain(|line| line.job != job);
        let was_answer = guess.answer.take_if(|answer| answer.job == job).is_some();
        was_answer || guess.lines.len() < lines
    }

    /// The work begun early that makes this line.
    pub(super) fn line_foreseen(&mut self, request: &SpeechRequest) -> Option<EarlyLine> {
        self.foresight.take_line(request)
    }

    /// The work begun early that answers this.
    pub(super) fn answer_foreseen(&mut self, request: &AnswerRequest) -> Option<EarlyAnswer> {
        self.foresight.take_answer(request)
    }

    /// The conversation has had the caller's words and said what it wants: what it did not want of
    /// the work begun is called off.
    pub(super) fn settle_foresight(&mut self, now: MediaTime) {
        if self.hearing.is_waiting() || self.floor.caller_holds() {
            return;
        }
        if let Some(guess) = self.foresight.guess.as_ref().filter(|guess| guess.came_true) {
            let text = guess.words.clone();
            self.note(now, What::Foreseen { text });
        }
        self.forget_guess();
        self.foresight.guesses = 0;
    }

    /// The caller goes on, or is somebody else's: calls off all that was begun.
    pub(super) fn forget_guess(&mut self) {
        let Some(guess) = self.foresight.guess.take() else { return };
        let Guess { lines, answer, .. } = *guess;
        let lines = lines.into_iter().filter(|line| !line.is_whole()).map(|line| line.job);
        let answer = answer.filter(|answer| !answer.is_whole()).map(|answer| answer.job);
        self.out.extend(lines.chain(answer).map(Output::Cancel));
    }
}
