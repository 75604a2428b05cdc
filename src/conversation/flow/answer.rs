//! Steps that the language model answers: what they offer it, and what is wrong with them.
//!
//! Authority lies here, not with the model: it may name the tools of the step alone, gives only
//! slots that no step of the intent asks for, and a tool that acts has a question which reads back
//! what the model gave.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cordboard_models::speech::{OfferedTool, SlotKind};
use serde_json::{Map, Value, json};

use super::check::{Check, kind_of};
use super::format::{AnswerText, IntentText, Method};
use super::located::join;
use super::{FaultKind, Tool, template};

/// The model's way to say that the caller has what was wanted.
pub(in crate::conversation) const DONE: &str = "caller_is_done";
/// The model's way to say that a person is wanted, or that it cannot help.
pub(in crate::conversation) const PERSON: &str = "get_a_person";
/// What instructions and knowledge can read, beside the flow's variables.
const TRUSTED: [&str; 3] = ["open", "today", "now"];

/// A step that the model answers, ready to run.
#[derive(Debug)]
pub(in crate::conversation) struct AnswerStep {
    pub(in crate::conversation) text: AnswerText,
    pub(in crate::conversation) tools: Vec<AnswerTool>,
    /// The tools as the model sees them, with the two that end the talk.
    pub(in crate::conversation) offered: Vec<OfferedTool>,
}

/// A tool of such a step.
#[derive(Debug)]
pub(in crate::conversation) struct AnswerTool {
    pub(in crate::conversation) tool: Arc<Tool>,
    /// The slots that the model gives.
    pub(in crate::conversation) given: Vec<String>,
    /// The question before it is called; none where it only reads and has none.
    pub(in crate::conversation) confirm: Option<String>,
}

impl AnswerStep {
    /// The tool of this name, where the step offers it.
    pub(in crate::conversation) fn tool(&self, name: &str) -> Option<&AnswerTool> {
        self.tools.iter().find(|tool| tool.tool.name.as_ref() == name)
    }
}

impl Check<'_> {
    /// Examines a step's `answer`.
    pub(super) fn answer(
        &mut self,
        at: &str,
        text: &AnswerText,
        intent: &IntentText,
        tools: &BTreeMap<String, Arc<Tool>>,
        filled: &BTreeSet<String>,
    ) -> AnswerStep {
        self.template(&join(at, "ask"), &text.ask, filled);
        self.trusted(&join(at, "about"), &text.about);
        self.trusted(&join(at, "instructions"), &text.instructions);
        self.trusted(&join(at, "knowledge"), &text.knowledge);
        for (index, name) in text.data.iter().enumerate() {
            if !filled.contains(name) {
                self.unfilled(&format!("{at}/data/{index}"), name, filled);
            }
        }
        for tool in text.confirm.keys().filter(|tool| !text.tools.contains(tool)) {
            self.unknown(&join(&join(at, "confirm"), tool), "tool of the step", tool, &text.tools);
        }
        let mut found = Vec::new();
        for (index, name) in text.tools.iter().enumerate() {
            let pointer = format!("{at}/tools/{index}");
            match tools.get(name) {
                Some(tool) => found.push(self.answer_tool(&pointer, tool, text, intent, filled)),
                None => self.unknown(&pointer, "tool", name, tools.keys()),
            }
        }
        let offered = found.iter().map(|tool| self.offered(tool)).chain(endings()).collect();
        AnswerStep { text: text.clone(), tools: found, offered }
    }

    /// Texts that are the model's instructions read nothing that a caller or a system gave.
    fn trusted(&mut self, at: &str, text: &str) {
        let trusted = TRUSTED.iter().map(|name| (*name).to_owned());
        let known = self.variable_names().chain(trusted).collect();
        self.template(at, text, &known);
    }

    fn answer_tool(
        &mut self,
        at: &str,
        tool: &Arc<Tool>,
        text: &AnswerText,
        intent: &IntentText,
        filled: &BTreeSet<String>,
    ) -> AnswerTool {
        let name = tool.name.to_string();
        if [DONE, PERSON].contains(&name.as_str()) {
            let why =
                format!("`{name}` is the name of one of the model's own ways to end the talk");
            self.fault(at, FaultKind::BadValue { why }, "give the tool another name");
        }
        let asked = |slot: &str| intent.steps.iter().any(|step| step.ask == slot);
        let mut given = Vec::new();
        for taken in &tool.takes {
            if self.slot_kind(taken).is_some() && !asked(taken) {
                given.push(taken.clone());
            } else if !filled.contains(taken) {
                let remedy = format!("ask for `{taken}` in an earlier step of this intent");
                self.fault(at, FaultKind::Unfilled { name: taken.clone() }, remedy);
            }
        }
        let confirm = text.confirm.get(&name).filter(|text| !text.trim().is_empty()).cloned();
        let pointer = join(&join(at.rsplit_once("/tools").map_or(at, |it| it.0), "confirm"), &name);
        match &confirm {
            Some(wording) => {
                let known = filled.iter().chain(&given).cloned().collect();
                let read = self.template(&pointer, wording, &known);
                for slot in given.iter().filter(|slot| !read.contains(*slot)) {
                    let why = format!("the question does not read back `{slot}`");
                    let remedy = format!("say it in the question: `{{{{ {slot} }}}}`");
                    let tool = name.clone();
                    self.fault(&pointer, FaultKind::Unconfirmed { tool, why }, remedy);
                }
            }
            None if tool.text.method != Method::Get => {
                let why = format!("it is a {}", tool.text.method.name());
                let remedy = format!("add `{name}: <a question of yes or no>` under `confirm`");
                self.fault(at, FaultKind::Unconfirmed { tool: name, why }, remedy);
            }
            None => {}
        }
        AnswerTool { tool: Arc::clone(tool), given, confirm }
    }

    fn offered(&self, tool: &AnswerTool) -> OfferedTool {
        let property = |slot: &String| {
            let mut schema = self.slot_kind(slot).map_or_else(|| json!({}), |kind| schema(&kind));
            schema["description"] = self.slot_help(slot).into();
            (slot.clone(), schema)
        };
        let properties: Map<String, Value> = tool.given.iter().map(property).collect();
        let name = tool.tool.name.to_string();
        OfferedTool {
            description: format!("{} of the company's system", name.replace('_', " ")),
            parameters: json!({
                "type": "object",
                "properties": properties,
                "required": tool.given,
                "additionalProperties": false,
            }),
            name,
        }
    }
}

/// The two ways out of the talk.
fn endings() -> [OfferedTool; 2] {
    let offered = |name: &str, description: &str| OfferedTool {
        name: name.to_owned(),
        description: description.to_owned(),
        parameters: json!({ "type": "object", "properties": {}, "additionalProperties": false }),
    };
    [
        offered(DONE, "The caller has what was wanted and asks nothing more."),
        offered(PERSON, "The caller wants a person, or you cannot help."),
    ]
}

/// JSON Schema of a slot's values, as the flow's own templates have them.
fn schema(kind: &SlotKind) -> Value {
    match kind {
        SlotKind::Digits { min, max } => {
            json!({ "type": "string", "pattern": format!("^[0-9]{{{min},{max}}}$") })
        }
        SlotKind::Number => json!({ "type": "integer", "minimum": 0, "maximum": 9999 }),
        SlotKind::Date => json!({ "type": "string", "format": "date" }),
        SlotKind::Time => json!({ "type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$" }),
        SlotKind::Amount => json!({ "type": "number", "minimum": 0 }),
        SlotKind::YesNo => json!({ "type": "boolean" }),
        SlotKind::Choice(among) => json!({ "type": "string", "enum": among }),
        SlotKind::Name | SlotKind::Open => json!({ "type": "string", "maxLength": 200 }),
    }
}

impl Check<'_> {
    fn slot_kind(&self, name: &str) -> Option<SlotKind> {
        self.file.slots.get(name).map(kind_of)
    }

    fn slot_help(&self, name: &str) -> String {
        self.file.slots.get(name).map_or_else(String::new, |slot| match slot.help.as_str() {
            help if template::is_fixed(help) => help.to_owned(),
            _ => name.replace('_', " "),
        })
    }

    fn variable_names(&self) -> impl Iterator<Item = String> + use<> {
        self.file.variables.keys().cloned().collect::<Vec<_>>().into_iter()
    }
}
