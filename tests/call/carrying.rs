//! What the shell does for a call: gives it what comes, and carries out what it wants.

use std::time::Duration;

use cordboard::call::{Effect, Input, Job, JobId, LegCommand, LegEvent, Output};
use cordboard::replay::record;
use cordboard::timeline::LegRole;
use cordboard_models::scripted::ScriptedSynthesizer;
use cordboard_models::speech::{SpeechRequest, SpokenWord, Synthesizer};

use super::{AgentLine, Due, World};
use crate::allocations::{self, Cost};
use crate::services::{Ears, Judge, Mouth, ToolLine};
use crate::simulation::Broken;

impl World {
    pub(super) fn take(&mut self, input: Input<'_>) {
        let (kind, bytes) = record::encode(&input);
        self.tape.push((self.now, kind, bytes));
        let is_frame =
            matches!(input, Input::Tick | Input::Voice { .. } | Input::Leg(_, LegEvent::Packet(_)));
        self.costs.push(Cost { at: self.now, allocations: 0, is_eventful: !is_frame });
        let before = allocations::so_far();
        if let Input::Spoken { job, last: true, .. } | Input::Refused { job, .. } = &input {
            self.unspoken.remove(job);
        }
        let taken = self.call.handle_input(self.now, input);
        self.costs(allocations::so_far() - before, false);
        taken.unwrap_or_else(|error| panic!("{error}\n{}", self.story()));
        self.drain();
    }

    pub(super) fn drain(&mut self) {
        loop {
            let before = allocations::so_far();
            let output = self.call.poll_output();
            let is_sound = matches!(
                output,
                Output::Leg(_, LegCommand::Send(_))
                    | Output::Listen(_)
                    | Output::Record(_)
                    | Output::Wait(_)
            );
            self.costs(allocations::so_far() - before, !is_sound);
            match output {
                Output::Wait(_) => return,
                Output::Over => {
                    self.over.get_or_insert(self.now);
                    return;
                }
                output => {
                    assert!(self.over.is_none(), "{output:?} after the end");
                    self.carry_out(output);
                }
            }
        }
    }

    fn costs(&mut self, allocations: u64, is_eventful: bool) {
        if let Some(cost) = self.costs.last_mut() {
            cost.allocations += allocations;
            cost.is_eventful |= is_eventful;
        }
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Leg(LegRole::Caller, command) => self.caller_command(command),
            Output::Leg(LegRole::Agent, command) => self.agent_command(command),
            Output::Listen(frame) => {
                let probability = self.detected(frame.samples());
                self.at_once.push_back(Input::Voice { probability });
            }
            Output::Judge(_) => match self.judge {
                Judge::Says(probability) => self.at_once.push_back(Input::Judged { probability }),
                Judge::Late { after_ms, probability } => {
                    self.later(after_ms, Due::Input(Input::Judged { probability }));
                }
                Judge::Silent => {}
            },
            Output::Work(job) => self.work(job),
            Output::Feed(job, _) => self.feed(job),
            Output::Finish(job) => self.finish(job),
            Output::Cancel(job) => {
                self.cancelled.insert(job);
                self.fed.remove(&job);
                self.unspoken.remove(&job);
            }
            Output::Effect(effect) => self.effect(effect),
            Output::Entry(entry) => self.enter(entry),
            Output::Record(tick) => self.recorded.push(tick),
            Output::Wait(_) | Output::Over => {}
        }
    }

    /// What is said of these 20 ms of the caller's.
    fn detected(&mut self, samples: &[f32]) -> f32 {
        let heard = self.detector.hear(self.now, samples);
        let has_spoken = || self.caller.ticks.iter().any(|tick| tick.voice > 0.5);
        let stuck = self.broken == Some(Broken::Detector) && has_spoken();
        let probability = if stuck { 1.0 } else { heard };
        if let Some(tick) = self.caller.ticks.last_mut() {
            tick.voice = probability;
        }
        probability
    }

    fn caller_command(&mut self, command: LegCommand) {
        // A page stays when the leg is gone, and is shown what came of the call.
        let may = !self.caller_gone || matches!(command, LegCommand::Show(_));
        assert!(may, "{command:?} to a caller who is gone\n{}", self.story());
        match command {
            LegCommand::Answer => self.answered = true,
            LegCommand::Send(frame) => self.caller.hear(&frame),
            LegCommand::SendDigit { digit, .. } => self.caller.digits.push(digit),
            LegCommand::Hangup => {
                self.caller_gone = true;
                self.hung_up = Some(self.now);
            }
            LegCommand::Flush => {}
            LegCommand::Show(shown) => self.shown.push(*shown),
            LegCommand::Renegotiate => self.renegotiated += 1,
            LegCommand::Dial(plan) => panic!("{plan:?}: nobody calls out here"),
        }
    }

    fn agent_command(&mut self, command: LegCommand) {
        if let LegCommand::Dial(plan) = command {
            assert!(self.agent_line.is_none(), "two agents at once");
            self.dials += 1;
            let dial = self.dials;
            for (after_ms, event) in self.office.rung(&plan.uri).events() {
                self.later(after_ms, Due::Agent(dial, event));
            }
            let (uri, headers) = (plan.uri, plan.headers);
            self.agent_line = Some(AgentLine { dial, answered: false, uri, headers });
            return;
        }
        let Some(line) = &self.agent_line else {
            panic!("{command:?} to nobody\n{}", self.story());
        };
        match command {
            LegCommand::Send(frame) => {
                assert!(line.answered, "sound is sent to a phone that rings");
                // The phone that was picked up in this tick begins with the next.
                if self.agent.ticks.last().is_some_and(|tick| tick.at == self.now) {
                    self.agent.hear(&frame);
                }
            }
            LegCommand::SendDigit { digit, .. } => self.agent.digits.push(digit),
            LegCommand::Hangup => self.agent_line = None,
            LegCommand::Flush => {}
            LegCommand::Renegotiate => self.renegotiated += 1,
            LegCommand::Answer | LegCommand::Dial(_) | LegCommand::Show(_) => {
                panic!("{command:?} to an agent")
            }
        }
    }

    fn work(&mut self, job: Job) {
        match job {
            Job::Recognize { job, .. } => match self.ears {
                Ears::Full => {
                    let why = "no ears are free".to_owned();
                    self.at_once.push_back(Input::Refused { job, why });
                }
                Ears::Answer { .. } | Ears::GiveUp { .. } | Ears::Dead => {
                    self.fed.insert(job, 0);
                }
            },
            Job::Speak { job, request } => {
                self.unspoken.insert(job);
                let refused = Input::Refused { job, why: "the voices are busy".to_owned() };
                match self.mouth {
                    Mouth::Refuse { after_ms } => self.later(after_ms, Due::Input(refused)),
                    Mouth::RefuseOnly { what } if request.text.contains(what) => {
                        self.at_once.push_back(refused);
                    }
                    Mouth::Dead => {}
                    Mouth::Speak { after_ms } => self.speak_later(after_ms, job, &request),
                    Mouth::Break { after_words } => self.speak_part(job, &request, after_words),
                    Mouth::RefuseOnly { .. } => self.speak_later(120, job, &request),
                }
            }
            Job::Answer { job, request } => {
                // Who guesses wrong gets nothing in time, and takes nothing from the script.
                let guess = self.script.is_guess(&request);
                let answer = if guess { vec![] } else { self.model.answer(&request) };
                for (after_ms, part) in answer {
                    let input = match part {
                        Ok(event) => Input::Answered { job, event },
                        Err(why) => Input::Refused { job, why },
                    };
                    self.later(after_ms, Due::Input(input));
                }
                if !guess {
                    self.asked_model.push(request);
                }
            }
            Job::JudgeSound { job, .. } => {
                if let Some((after_ms, probability)) = self.sound_judge {
                    self.later(after_ms, Due::Input(Input::SoundJudged { job, probability }));
                }
            }
            Job::Rank(request) => {
                let ranked = Input::Ranked { request: request.id, ranked: vec![] };
                if let Some(after_ms) = self.ranks_ms {
                    self.later(after_ms, Due::Input(ranked));
                }
            }
        }
    }

    fn speak_later(&mut self, after_ms: u64, job: JobId, request: &SpeechRequest) {
        let mut speech = ScriptedSynthesizer.speak(request).expect("it speaks whatever there is");
        if self.broken == Some(Broken::WordTimes) {
            let at_once = |word: &SpokenWord| SpokenWord {
                text: word.text.clone(),
                begin: Duration::ZERO,
                end: Duration::ZERO,
            };
            speech.words = speech.words.iter().map(at_once).collect();
        }
        self.later(after_ms, Due::Input(Input::Spoken { job, speech, last: true }));
    }

    /// Speaks the first words, and then says nothing ever again.
    fn speak_part(&mut self, job: JobId, request: &SpeechRequest, words: usize) {
        let text: Vec<&str> = request.text.split(' ').take(words).collect();
        let part = SpeechRequest { text: text.join(" ").into(), ..request.clone() };
        let speech = ScriptedSynthesizer.speak(&part).expect("it speaks whatever there is");
        self.later(120, Due::Input(Input::Spoken { job, speech, last: false }));
    }

    fn feed(&mut self, job: JobId) {
        let Some(fed) = self.fed.get_mut(&job) else { return };
        *fed += 1;
        if let (30, Some(hypothesis)) = (*fed, self.script.partial(self.partial_words)) {
            self.at_once.push_back(Input::Recognized { job, hypothesis });
        }
    }

    fn finish(&mut self, job: JobId) {
        self.fed.remove(&job).expect("what is finished was begun");
        match self.ears {
            Ears::Answer { after_ms } => {
                let hypothesis = self.script.verdict();
                self.later(after_ms, Due::Input(Input::Recognized { job, hypothesis }));
            }
            Ears::GiveUp { after_ms } => {
                let why = "the model gave up".to_owned();
                self.later(after_ms, Due::Input(Input::Refused { job, why }));
            }
            Ears::Full | Ears::Dead => {}
        }
    }

    fn effect(&mut self, effect: Effect) {
        let answers = match effect {
            Effect::Invoke(invocation) => {
                self.pending += 1;
                let line = self.tools.pop_front().unwrap_or_else(|| ToolLine::found(300));
                let answer =
                    Input::ToolAnswered { invocation: invocation.id, outcome: line.outcome };
                if let Some(after_ms) = line.after_ms {
                    self.later(after_ms, Due::Input(answer));
                }
                if self.broken == Some(Broken::Effects) {
                    self.invocations.push(invocation.clone());
                }
                self.invocations.push(invocation);
                vec![]
            }
            Effect::Enqueue { queue, packet, again } => {
                self.office.enqueue(self.now, queue, packet, again)
            }
            Effect::Withdraw => self.office.withdraw(self.now),
            Effect::Report(report) => self.office.report(self.now, report),
        };
        self.at_once.extend(answers);
    }

    fn later(&mut self, after_ms: u64, due: Due) {
        self.next += 1;
        let at = self.now + Duration::from_millis(after_ms.max(1));
        self.agenda.insert((at, self.next), due);
    }
}
