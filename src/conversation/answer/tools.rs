//! The tools that a model calls: which of them are carried out, and what it is told of them.
//!
//! A call is carried out where the step offers the tool, every value that the model gives is of its
//! slot's kind and allowed there, and, where the tool has a question, the caller has said yes to
//! it. Values that the flow asked for are the flow's: a model cannot give others.

use std::sync::Arc;

use cordboard_models::speech::ToolCall;
use serde_json::{Map, Value, json};

use super::super::flow::{AnswerTool, DONE, PERSON, Tool};
use super::super::machine::{Conversation, State, Topic};
use super::super::values::SlotValue;
use super::super::{Output, ToolOutcome};
use crate::timeline::{Trigger, What};

/// Calls of one tool with the same arguments in one turn.
const ALIKE_MAX: usize = 3;
/// Calls in one turn, of whichever tools.
const CALLS_MAX: usize = 8;
/// Longest result that the model is given, bytes of JSON.
const RESULT_MAX: usize = 8 * 1024;
/// Longest name of a tool that is noted, in characters: a model may make up any.
const NAME_MAX: usize = 64;

/// Why a call is not carried out.
enum Denial {
    /// For the model, which may do better.
    Told(String),
    /// The talk has gone wrong.
    Loop,
}

impl Conversation {
    /// Looks at the next call that the model wants; asks it again where none is left.
    pub(super) fn next_call(&mut self) {
        loop {
            let Some(call) = self.talk.as_mut().and_then(|talk| talk.turn.calls.pop_front()) else {
                self.ask_model();
                return;
            };
            match call.name.as_str() {
                DONE => {
                    self.talk = None;
                    self.advance();
                    self.run();
                    return;
                }
                PERSON => {
                    let reason = "the talk came to want a person".to_owned();
                    self.leave_talk(Trigger::Asked, reason);
                    return;
                }
                _ => {}
            }
            match self.look_at(&call) {
                Ok(true) => return,
                Ok(false) => {}
                Err(Denial::Loop) => {
                    self.answer_lacking("it calls tools without end");
                    return;
                }
                Err(Denial::Told(why)) => self.deny(call, &why),
            }
        }
    }

    /// Carries a call out, or asks the caller; whether that has to be waited for.
    fn look_at(&mut self, call: &ToolCall) -> Result<bool, Denial> {
        let Some(talk) = &mut self.talk else { return Err(Denial::Loop) };
        let seen = &mut talk.turn.looked_at;
        let same = |one: &&ToolCall| one.name == call.name && one.arguments == call.arguments;
        if seen.len() >= CALLS_MAX || seen.iter().filter(same).count() >= ALIKE_MAX {
            return Err(Denial::Loop);
        }
        seen.push(call.clone());
        let step = Arc::clone(&talk.step);
        let none = || Denial::Told("there is no such tool".to_owned());
        let offered = step.tool(&call.name).ok_or_else(none)?;
        let given = self.given(offered, &call.arguments)?;
        let arguments = self.call_arguments(offered, &given)?;
        if let Some(outcome) = self.memory.answered(&offered.tool, &arguments) {
            self.tell_model(call.clone(), &offered.tool, &outcome);
            return Ok(false);
        }
        if let Some(talk) = &mut self.talk {
            talk.open = Some(call.clone());
        }
        match &offered.confirm {
            Some(wording) => {
                let extra: Vec<(&str, Value)> =
                    given.iter().map(|(name, value)| (name.as_str(), value.json())).collect();
                let question: Arc<str> = Arc::from(self.filled(wording, &extra));
                if let Some(talk) = &mut self.talk {
                    talk.consent = Arc::clone(&question);
                }
                self.ask_text(Topic::Consent, question);
                Ok(true)
            }
            None => self.call(&offered.tool, arguments),
        }
    }

    /// The caller has answered the question before a tool.
    pub(in super::super) fn consented(&mut self, yes: bool) {
        let Some(talk) = &mut self.talk else {
            self.talk_is_lost();
            return;
        };
        self.voice.forget_answers();
        let step = Arc::clone(&talk.step);
        let Some(call) = talk.open.clone() else {
            self.next_call();
            return;
        };
        if !yes {
            talk.open = None;
            let result = json!({ "outcome": "the caller said no" });
            let call = self.numbered(call);
            self.log.tool(call, result);
            self.next_call();
            return;
        }
        let called = match step.tool(&call.name) {
            Some(offered) => self
                .given(offered, &call.arguments)
                .and_then(|given| self.call_arguments(offered, &given))
                .and_then(|arguments| self.call(&offered.tool, arguments)),
            None => Err(Denial::Loop),
        };
        match called {
            Ok(true) => {}
            Ok(false) => self.next_call(),
            Err(Denial::Told(why)) => {
                self.deny(call, &why);
                self.next_call();
            }
            Err(Denial::Loop) => self.answer_lacking("a tool is missing"),
        }
    }

    /// Sends a call whose arguments are good, by the machinery of all tools; whether it went.
    fn call(&mut self, tool: &Arc<Tool>, arguments: Value) -> Result<bool, Denial> {
        if !self.may_be_sent(tool, &arguments) {
            let why = "it has been tried before, and did not work".to_owned();
            return Err(Denial::Told(why));
        }
        self.send(tool, arguments);
        Ok(matches!(self.state, State::Calling(_)))
    }

    /// A tool that the model called has answered; false where it was none of the model's.
    pub(in super::super) fn model_tool_answered(
        &mut self,
        tool: &Tool,
        outcome: &ToolOutcome,
    ) -> bool {
        let Some(call) = self.talk.as_mut().and_then(|talk| talk.open.take()) else { return false };
        self.tell_model(call, tool, outcome);
        self.next_call();
        true
    }

    fn tell_model(&mut self, call: ToolCall, tool: &Tool, outcome: &ToolOutcome) {
        let name = tool.outcome(&outcome.verdict).unwrap_or("failed");
        let fits = outcome.result.to_string().len() <= RESULT_MAX;
        let result = if fits { outcome.result.clone() } else { json!("too long to be read") };
        let call = self.numbered(call);
        self.log.tool(call, json!({ "outcome": name, "result": result }));
    }

    /// The model is told that its call is not carried out, and the timeline too.
    fn deny(&mut self, call: ToolCall, why: &str) {
        if let Some(talk) = &mut self.talk {
            talk.open = None;
        }
        let tool = call.name.chars().take(NAME_MAX).collect();
        self.outputs.push_back(Output::Note(What::ToolDenied { tool, why: why.to_owned() }));
        let call = self.numbered(call);
        self.log.tool(call, json!({ "outcome": "refused", "why": why }));
    }

    /// The call with a number of ours: a model may use one twice, and its own words are not sent
    /// back as anything but arguments.
    fn numbered(&mut self, call: ToolCall) -> ToolCall {
        self.calls_told += 1;
        let name = call.name.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '_');
        let name: String = name.take(NAME_MAX).collect();
        let name = if name.is_empty() { "unknown".to_owned() } else { name };
        ToolCall { id: format!("call_{}", self.calls_told), name, ..call }
    }

    /// The values that the model gives, each of its slot's kind and allowed there.
    fn given(
        &self,
        offered: &AnswerTool,
        arguments: &Value,
    ) -> Result<Vec<(String, SlotValue)>, Denial> {
        let mut given = Vec::new();
        for name in &offered.given {
            let Some(slot) = self.flow.slots.get(name) else { return Err(Denial::Loop) };
            let bad = || Denial::Told(format!("`{name}` is missing, or not of its kind"));
            let value = arguments.get(name).and_then(|it| SlotValue::from_json(&slot.kind, it));
            let value = value.ok_or_else(bad)?;
            let mut known = self.known();
            known.insert("value".to_owned(), value.json());
            known.insert("spoken".to_owned(), value.spoken().into());
            if slot.valid.as_ref().is_some_and(|valid| !valid.holds(&known)) {
                return Err(Denial::Told(format!("`{name}` is not allowed")));
            }
            given.push((name.clone(), value));
        }
        Ok(given)
    }

    /// All that the tool takes: the model's values, and what the flow knows.
    fn call_arguments(
        &self,
        offered: &AnswerTool,
        given: &[(String, SlotValue)],
    ) -> Result<Value, Denial> {
        let mut known: Map<String, Value> = self.known();
        known.retain(|name, _| self.memory.slots.get(name).is_none_or(|filled| filled.settled));
        known.extend(given.iter().map(|(name, value)| (name.clone(), value.json())));
        let missing = |name| Denial::Told(format!("`{name}` is not known"));
        offered.tool.arguments(&known).map_err(missing)
    }
}
