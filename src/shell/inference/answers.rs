//! Answers of language models: each begun by the first engine that is well, and gone on with by
//! the next where one fails within it.
//!
//! The next engine is told what the caller was given, and goes on from there. Bounded: where so
//! many answers are under way, another is refused. An answer that is dropped is called off.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use cordboard_models::speech::{AnswerEvent, AnswerRequest, AnswerTurn, Answerer, EngineFault};

use super::super::failover::Health;
use super::super::mailbox::ReplyTo;
use super::failed_over;
use crate::call::{EngineRole, Input, JobId};
use crate::clock;

/// Answers under way at once.
const ANSWERS_MAX: usize = 256;

/// The language models that answer, in order of preference.
pub(crate) struct Answers {
    engines: Arc<[Box<dyn Answerer>]>,
    health: Health,
    running: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answers").field("engines", &self.engines.len()).finish_non_exhaustive()
    }
}

/// An answer under way; dropping it calls it off.
#[derive(Debug)]
pub(in super::super) struct Running(Arc<Answer>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.end();
    }
}

impl Answers {
    /// These engines.
    pub(crate) fn new(engines: Vec<Box<dyn Answerer>>) -> Self {
        let health = Health::new(engines.len());
        Self { engines: engines.into(), health, running: Arc::default() }
    }

    /// Begins an answer; its events go to the call. The reason where it cannot be begun.
    pub(in super::super) fn begin(
        &self,
        job: JobId,
        request: Arc<AnswerRequest>,
        reply: ReplyTo,
    ) -> Result<Running, &'static str> {
        if self.engines.is_empty() {
            return Err("no language model answers here");
        }
        if self.running.fetch_add(1, Ordering::AcqRel) >= ANSWERS_MAX {
            self.running.fetch_sub(1, Ordering::AcqRel);
            return Err("the language models are busy");
        }
        let answer = Arc::new(Answer {
            job,
            request,
            reply,
            engines: self.engines.clone(),
            health: self.health.clone(),
            running: self.running.clone(),
            state: Mutex::default(),
        });
        let none = EngineFault::ModelFailed { engine: "chat", why: "none is left".to_owned() };
        answer.ask_next(&none);
        Ok(Running(answer))
    }

    /// Answers under way.
    pub(in super::super) fn under_way(&self) -> usize {
        self.running.load(Ordering::Acquire)
    }
}

/// One answer, whichever engine is at it.
struct Answer {
    job: JobId,
    request: Arc<AnswerRequest>,
    reply: ReplyTo,
    engines: Arc<[Box<dyn Answerer>]>,
    health: Health,
    running: Arc<AtomicUsize>,
    state: Mutex<State>,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer").field("job", &self.job).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// Engines that have been asked; what comes from an earlier one is late.
    asked: u32,
    failed: Vec<usize>,
    /// What the call was given.
    said: Vec<String>,
    /// Whatever the engine in hand has under way.
    task: Option<Box<dyn Send>>,
    over: bool,
}

impl Answer {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        // Nothing panics within; if it did, the state would be whole all the same.
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Lets the next engine go on, or tells the call that there is none.
    fn ask_next(self: &Arc<Self>, why: &EngineFault) {
        let now = clock::monotonic();
        let chosen = self.with(|state| {
            if state.over {
                return None;
            }
            let engine = self.health.choose(now, |engine| !state.failed.contains(&engine));
            state.asked += 1;
            Some((engine, state.asked, self.request_after(&state.said)))
        });
        let Some((engine, number, request)) = chosen else { return };
        let Some(engine) = engine else {
            self.end();
            self.reply.give(Input::Refused { job: self.job, why: why.to_string() });
            return;
        };
        let answer = Arc::clone(self);
        let give = Box::new(move |event| answer.came(engine, number, event));
        // Events may come before this has returned.
        let task = self.engines[engine].answer(request, give);
        let late = self.with(|state| {
            if state.over || state.asked != number {
                return Some(task);
            }
            state.task.replace(task)
        });
        drop(late);
    }

    /// The request, with what was given of its answer.
    fn request_after(&self, said: &[String]) -> Arc<AnswerRequest> {
        if said.is_empty() {
            return Arc::clone(&self.request);
        }
        let mut request = AnswerRequest::clone(&self.request);
        request.turns.push(AnswerTurn::Assistant(said.join(" ")));
        request.goes_on = true;
        Arc::new(request)
    }

    fn came(self: &Arc<Self>, engine: usize, number: u32, event: Result<AnswerEvent, EngineFault>) {
        let current = self.with(|state| {
            let current = !state.over && state.asked == number;
            if let (true, Ok(AnswerEvent::Sentence(text))) = (current, &event) {
                state.said.push(text.clone());
            }
            current
        });
        if !current {
            return;
        }
        match event {
            Ok(event) => {
                if event == AnswerEvent::Ended {
                    self.health.worked(engine);
                    self.end();
                }
                self.reply.give(Input::Answered { job: self.job, event });
            }
            Err(fault) => self.failed(engine, &fault),
        }
    }

    fn failed(self: &Arc<Self>, engine: usize, fault: &EngineFault) {
        tracing::warn!(engine, %fault, "a language model failed; the next one goes on");
        let asked_for = match fault {
            EngineFault::Busy { retry_after, .. } => Some(*retry_after),
            _ => None,
        };
        self.health.failed(engine, clock::monotonic(), asked_for);
        let (task, left) = self.with(|state| {
            state.failed.push(engine);
            (state.task.take(), state.failed.len() < self.engines.len())
        });
        drop(task);
        if left {
            failed_over(&self.reply, EngineRole::LanguageModel, engine, fault);
        }
        self.ask_next(fault);
    }

    /// Nothing more is given; once.
    fn end(&self) {
        let task = self.with(|state| {
            if !std::mem::replace(&mut state.over, true) {
                self.running.fetch_sub(1, Ordering::AcqRel);
            }
            state.task.take()
        });
        drop(task);
    }
}

#[cfg(test)]
mod tests;
