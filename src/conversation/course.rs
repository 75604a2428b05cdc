//! The steps of an intent, and the tools that they invoke.

use std::sync::Arc;

use cordboard_models::speech::SlotKind;
use serde_json::{Value, json};

use super::flow::{Step, StoppedBy, Tool, result_name};
use super::machine::{Calling, Conversation, State, Task, Topic, after};
use super::memory::{Record, idempotency_key};
use super::{Interruptible, Invocation, Move, Output, ToolOutcome};
use crate::timeline::{ToolVerdict, Trigger, What};

/// Steps taken at one input; a flow that runs in a circle without asking ends here.
const MAX_STEPS: usize = 100;
/// How often one step may be jumped to in one task.
const MAX_JUMPS: u8 = 3;
/// Invocations of one tool with the same arguments in a call, however often it is asked for.
const MAX_ALIKE: usize = 3;
/// Failures of a tool after which a human is brought.
const MAX_FAILURES: usize = 2;
/// What the shell may need on top of a tool's own time limits, ms.
const GRACE_MS: u64 = 2_000;

impl Conversation {
    /// Puts an intent in hand.
    pub(super) fn start(&mut self, intent: String) {
        let steps = self.flow.intents.get(&intent).map_or(0, |course| course.steps.len());
        self.task = Some(Task { intent, step: 0, said: false, jumps: vec![0; steps] });
        self.memory.results.clear();
        self.talk = None;
    }

    /// Drops what an earlier run of the same intent was told, and all consents and free words:
    /// who asks again means another order, and a yes holds once.
    pub(super) fn forget_for(&mut self, intent: &str) {
        let flow = Arc::clone(&self.flow);
        let again = self.memory.begun.contains(intent);
        let steps = flow.intents.get(intent).map_or(&[][..], |course| course.steps.as_slice());
        for slot in steps.iter().map(|step| &step.text.ask) {
            let kind = flow.slots.get(slot).map(|slot| &slot.kind);
            if again || matches!(kind, Some(SlotKind::YesNo | SlotKind::Open)) {
                self.memory.slots.remove(slot);
            }
        }
        self.memory.begun.insert(intent.to_owned());
    }

    /// Takes steps until one has to wait.
    pub(super) fn run(&mut self) {
        let flow = Arc::clone(&self.flow);
        for _ in 0..MAX_STEPS {
            let Some(task) = &self.task else {
                self.ask(Topic::Menu, &flow.file.menu.ask);
                return;
            };
            let course = flow.intents.get(&task.intent);
            let Some(step) = course.and_then(|course| course.steps.get(task.step)) else {
                self.finish();
                return;
            };
            if step.when.as_ref().is_some_and(|when| !when.holds(&self.known())) {
                self.advance();
                continue;
            }
            if !self.take(step) {
                return;
            }
        }
        self.give_up("the flow runs in a circle");
    }

    /// Takes one step; false where it has to wait.
    fn take(&mut self, step: &Step) -> bool {
        let text = &step.text;
        let said = self.task.as_ref().is_none_or(|task| task.said);
        if !said && !text.say.is_empty() {
            // What is said while a tool is called is no answer, and is not repeated as one.
            if text.invoke.is_empty() {
                self.answer_until(&text.say, interruptible(text.stopped_by));
            } else {
                let said = self.filled(&text.say, &[]);
                self.say_text(&said, interruptible(text.stopped_by));
            }
            if self.faulty.is_some() {
                return false;
            }
        }
        if let Some(task) = &mut self.task {
            task.said = true;
        }
        for slot in &text.forget {
            self.memory.slots.remove(slot);
        }
        if !text.ask.is_empty() {
            return self.ask_slot(&text.ask);
        }
        if !text.invoke.is_empty() {
            return self.invoke(step);
        }
        if let Some(answer) = &step.answer {
            self.begin_talk(answer);
            return false;
        }
        if !text.goto.is_empty() {
            return self.jump(&text.goto);
        }
        if !text.escalate.is_empty() {
            let reason = if text.reason.is_empty() {
                "a rule of the flow".to_owned()
            } else {
                text.reason.clone()
            };
            self.escalate(Trigger::Rule, reason, Some(text.escalate.clone()));
            return false;
        }
        if text.end {
            self.finish();
            return false;
        }
        self.advance();
        true
    }

    pub(super) fn advance(&mut self) {
        if let Some(task) = &mut self.task {
            task.step += 1;
            task.said = false;
        }
    }

    /// Goes on at a step; false where that has been done too often.
    pub(super) fn jump(&mut self, id: &str) -> bool {
        let flow = Arc::clone(&self.flow);
        let Some(task) = &mut self.task else { return false };
        let course = flow.intents.get(&task.intent);
        let target =
            course.and_then(|course| course.steps.iter().position(|step| step.text.id == id));
        let within = target.and_then(|target| {
            let jumps = task.jumps.get_mut(target)?;
            *jumps += 1;
            (*jumps <= MAX_JUMPS).then_some(target)
        });
        let Some(target) = within else {
            let reason = format!("step `{id}` was come to too often");
            self.escalate(Trigger::Repairs, reason, None);
            return false;
        };
        task.step = target;
        task.said = false;
        true
    }

    /// Asks for a slot, reads it back, or goes on where it is settled.
    fn ask_slot(&mut self, slot: &str) -> bool {
        let flow = Arc::clone(&self.flow);
        match self.memory.slots.get(slot).map(|filled| filled.settled) {
            Some(true) => {
                self.advance();
                true
            }
            Some(false) => {
                let wording = self.confirm_wording(slot);
                self.ask(Topic::Confirm(slot.to_owned()), &wording);
                false
            }
            None => {
                let ask = flow.slots.get(slot).map_or("", |slot| slot.text.ask.as_str());
                self.ask(Topic::Slot(slot.to_owned()), ask);
                false
            }
        }
    }

    fn finish(&mut self) {
        let flow = Arc::clone(&self.flow);
        if let Some(task) = self.task.take()
            && let Some(course) = flow.intents.get(&task.intent)
        {
            self.memory.settle(&course.title);
        }
        self.repairs.succeeded();
        self.ask(Topic::More, &flow.file.prompts.anything_else);
    }

    /// Invokes a tool, or takes what it answered before; false where it has to wait.
    fn invoke(&mut self, step: &Step) -> bool {
        let flow = Arc::clone(&self.flow);
        let Some(tool) = flow.tools.get(&step.text.invoke) else {
            self.give_up("a tool is missing");
            return false;
        };
        let arguments = match tool.arguments(&self.known()) {
            Ok(arguments) => arguments,
            Err(name) => {
                self.give_up(&format!("nothing fills `{name}`"));
                return false;
            }
        };
        if let Some(outcome) = self.memory.answered(tool, &arguments) {
            return self.apply(step, tool, &outcome);
        }
        if !self.may_be_sent(tool, &arguments) {
            self.tool_failed(tool);
            return false;
        }
        self.send(tool, arguments);
        false
    }

    /// Whether a tool may be sent these arguments, which it has not answered yet.
    pub(super) fn may_be_sent(&self, tool: &Tool, arguments: &Value) -> bool {
        let alike: Vec<&Record> = self.memory.alike(&tool.name, arguments).collect();
        let running = alike.iter().any(|record| record.outcome.is_none());
        let failed_once_for_good = !alike.is_empty() && !tool.is_idempotent();
        !(running || failed_once_for_good || alike.len() >= MAX_ALIKE)
    }

    pub(super) fn send(&mut self, tool: &Tool, arguments: Value) {
        let Some(task) = &self.task else { return };
        let step = format!("{}/{}", task.intent, task.step);
        let key = idempotency_key(&self.call_id, &step, &arguments);
        let id = u32::try_from(self.memory.records.len()).unwrap_or(u32::MAX).saturating_add(1);
        let record =
            Record { tool: tool.name.to_string(), arguments: arguments.clone(), outcome: None };
        self.memory.records.insert(id, record);
        self.outputs.push_back(Output::Note(What::ToolInvoked {
            invocation: id,
            tool: tool.name.to_string(),
            key: key.clone(),
            arguments: arguments.clone(),
        }));
        let invocation = Invocation { id, tool: Arc::clone(&tool.name), key, arguments };
        self.outputs.push_back(Output::Move(Move::Invoke(invocation)));
        let attempts = u64::from(tool.retries()) + 1;
        let deadline = after(self.now, tool.timeout_ms() * attempts + GRACE_MS);
        self.state = State::Calling(Calling { invocation: id, deadline });
    }

    /// A tool has answered; it is applied whatever has happened since.
    pub(super) fn tool_answered(&mut self, invocation: u32, outcome: &ToolOutcome) {
        let flow = Arc::clone(&self.flow);
        let known = self.memory.records.get(&invocation).map(|record| record.tool.clone());
        let Some(tool) = known.and_then(|name| flow.tools.get(&name)) else { return };
        let succeeded = outcome.verdict == ToolVerdict::Done;
        if self.memory.answer(invocation, outcome, succeeded).is_none() {
            return;
        }
        self.outputs.push_back(Output::Note(What::ToolAnswered {
            invocation,
            tool: tool.name.to_string(),
            verdict: outcome.verdict.clone(),
            result: outcome.result.clone(),
            took_ms: outcome.took_ms,
        }));
        let awaited =
            matches!(&self.state, State::Calling(calling) if calling.invocation == invocation);
        if awaited && !self.model_tool_answered(tool, outcome) {
            self.go_on(tool, outcome);
        }
    }

    /// A tool's answer is overdue; it will be entered when it comes.
    pub(super) fn tool_lapsed(&mut self, invocation: u32) {
        let flow = Arc::clone(&self.flow);
        let known = self.memory.records.get(&invocation).map(|record| record.tool.clone());
        match known.and_then(|name| flow.tools.get(&name)) {
            // It still runs, so it is not tried again.
            Some(tool) => {
                let verdict = ToolVerdict::TimedOut;
                let outcome = ToolOutcome { verdict, result: Value::Null, took_ms: 0 };
                if !self.model_tool_answered(tool, &outcome) {
                    self.tool_failed(tool);
                }
            }
            None => self.give_up("a tool is missing"),
        }
    }

    /// Goes on after an answer.
    fn go_on(&mut self, tool: &Arc<Tool>, outcome: &ToolOutcome) {
        let flow = Arc::clone(&self.flow);
        let step = self.task.as_ref().and_then(|task| {
            flow.intents.get(&task.intent).and_then(|course| course.steps.get(task.step))
        });
        let Some(step) = step else {
            self.give_up("a step is missing");
            return;
        };
        if tool.outcome(&outcome.verdict).is_some() {
            if self.apply(step, tool, outcome) {
                self.run();
            }
            return;
        }
        let arguments = tool.arguments(&self.known()).unwrap_or_default();
        let failures = self.memory.alike(&tool.name, &arguments).count();
        if tool.is_idempotent() && failures < MAX_FAILURES {
            self.say(&flow.file.prompts.tool_again);
            self.send(tool, arguments);
            return;
        }
        if let Some(target) = step.text.on.get("failed") {
            if self.jump(target) {
                self.run();
            }
            return;
        }
        self.tool_failed(tool);
    }

    /// Enters a result and moves on to the step that it leads to.
    fn apply(&mut self, step: &Step, tool: &Tool, outcome: &ToolOutcome) -> bool {
        let name = tool.outcome(&outcome.verdict).unwrap_or("failed").to_owned();
        let mut result = outcome.result.clone();
        if let Value::Object(fields) = &mut result {
            fields.entry("outcome").or_insert_with(|| json!(name));
        } else if result.is_null() {
            result = json!({ "outcome": name });
        }
        self.memory.results.insert(result_name(&step.text).to_owned(), result);
        match step.text.on.get(&name) {
            Some(target) => self.jump(target),
            None => {
                self.advance();
                true
            }
        }
    }

    fn tool_failed(&mut self, tool: &Tool) {
        let text = self.flow.file.prompts.tool_failed.clone();
        self.say(&text);
        let reason = format!("`{}` failed", tool.name);
        self.escalate(Trigger::ToolFailed, reason, None);
    }

    pub(super) fn give_up(&mut self, why: &str) {
        let text = self.flow.file.prompts.fallback.clone();
        self.say(&text);
        self.escalate(Trigger::Rule, format!("the flow could not go on: {why}"), None);
    }
}

const fn interruptible(by: StoppedBy) -> Interruptible {
    match by {
        StoppedBy::Speech => Interruptible::Yes,
        StoppedBy::Keys => Interruptible::ByKeys,
        StoppedBy::Nothing => Interruptible::No,
    }
}
