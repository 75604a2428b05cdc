//! Flows: what the assistant of one company says, asks and does, read from YAML.
//!
//! Reading finds as many faults as it can: first those of form, by the JSON Schema; then those of
//! meaning. A flow that is read has none. Deliberately absent: files, and the running of flows.

mod answer;
mod check;
mod fault;
mod format;
mod hours;
mod located;
mod phrase;
mod schema;
mod template;
mod tool;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;

use cordboard_models::speech::{Expectation, Intent, Phrase, SlotKind};
use jiff::civil::DateTime;
use minijinja::Environment;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

pub(in crate::conversation) use answer::{AnswerStep, AnswerTool, DONE, PERSON};
pub(in crate::conversation) use check::result_name;
pub use fault::{FaultKind, FlowFault, Place};
pub(in crate::conversation) use format::{
    Confirmation, FlowFile, Prompts, SlotText, StepText, StoppedBy,
};
pub use schema::schema;
pub use tool::{Tool, ToolRequest};

use super::ConversationError;
use hours::OpenHours;

/// A flow without faults, ready to run; shared by all calls.
#[derive(Debug)]
pub struct Flow {
    pub(in crate::conversation) file: FlowFile,
    pub(in crate::conversation) slots: BTreeMap<String, Slot>,
    pub(in crate::conversation) intents: BTreeMap<String, Course>,
    pub(in crate::conversation) tools: BTreeMap<String, Arc<Tool>>,
    /// Phrases of all intents, then emergencies, in the file's order of names.
    pub(in crate::conversation) phrases: Vec<Phrase>,
    pub(in crate::conversation) rankable: Arc<[Intent]>,
    variables: Arc<BTreeMap<String, String>>,
    environment: Arc<Environment<'static>>,
    hours: OpenHours,
    version: String,
    text: Arc<str>,
}

/// A slot, ready to run.
#[derive(Debug)]
pub(in crate::conversation) struct Slot {
    pub(in crate::conversation) text: SlotText,
    pub(in crate::conversation) kind: SlotKind,
    pub(in crate::conversation) valid: Option<Condition>,
}

/// What is done about an intent, ready to run.
#[derive(Debug)]
pub(in crate::conversation) struct Course {
    pub(in crate::conversation) title: String,
    pub(in crate::conversation) steps: Vec<Step>,
}

/// A step, ready to run.
#[derive(Debug)]
pub(in crate::conversation) struct Step {
    pub(in crate::conversation) text: StepText,
    pub(in crate::conversation) when: Option<Condition>,
    pub(in crate::conversation) answer: Option<Arc<AnswerStep>>,
}

/// A condition, compiled.
#[derive(Debug)]
pub(in crate::conversation) struct Condition(cel::Program);

impl Condition {
    /// Whether it holds; one that cannot be answered (a field is missing) does not.
    pub(in crate::conversation) fn holds(&self, variables: &Map<String, Value>) -> bool {
        let mut context = cel::Context::default();
        for (name, value) in variables {
            context.add_variable_from_value(name.as_str(), cel_value(value));
        }
        matches!(self.0.execute(&context), Ok(cel::Value::Bool(true)))
    }
}

/// A value as conditions see it. All whole numbers are signed: CEL does not mix the two kinds,
/// and its literals are signed.
fn cel_value(value: &Value) -> cel::Value {
    match value {
        Value::Null => cel::Value::Null,
        Value::Bool(truth) => cel::Value::Bool(*truth),
        Value::Number(number) => number.as_i64().map_or_else(
            || cel::Value::Float(number.as_f64().unwrap_or(f64::NAN)),
            cel::Value::Int,
        ),
        Value::String(text) => cel::Value::from(text.as_str()),
        Value::Array(items) => cel::Value::from(items.iter().map(cel_value).collect::<Vec<_>>()),
        Value::Object(fields) => {
            let each = fields.iter().map(|(name, value)| (name.clone(), cel_value(value)));
            cel::Value::from(each.collect::<HashMap<String, cel::Value>>())
        }
    }
}

/// What a flow has, for people and for start-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The flow's name.
    pub name: String,
    /// Fingerprint of its text.
    pub version: String,
    /// Names of its intents.
    pub intents: Vec<String>,
    /// Names of its slots.
    pub slots: Vec<String>,
    /// Names of its tools.
    pub tools: Vec<String>,
    /// Its queues.
    pub queues: Vec<String>,
    /// How many prompts can be synthesized at load.
    pub fixed_prompts: usize,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, version, intents, slots, tools, queues, fixed_prompts } = self;
        write!(f, "flow {name}, version {version}: intents {}", intents.join(", "))?;
        write!(f, "; slots {}; tools {}", slots.join(", "), tools.join(", "))?;
        write!(f, "; queues {}; {fixed_prompts} fixed prompts", queues.join(", "))
    }
}

/// Checks a flow's text; `file_name` is for the faults only.
///
/// # Errors
/// All faults that were found, in the order of the text.
pub fn check(text: &str, file_name: &str) -> Result<Summary, Vec<FlowFault>> {
    Flow::parse(text, file_name, &BTreeMap::new()).map(|flow| flow.summary())
}

impl Flow {
    /// Reads a flow from YAML; `overrides` replace values of its `variables`.
    ///
    /// # Errors
    /// All faults that were found, in the order of the text.
    pub fn parse(
        text: &str,
        file_name: &str,
        overrides: &BTreeMap<String, String>,
    ) -> Result<Self, Vec<FlowFault>> {
        let fault =
            |(place, kind, remedy)| FlowFault { file: file_name.to_owned(), place, kind, remedy };
        let mut located = located::Located::read(text).map_err(|(place, kind)| {
            vec![fault((place, kind, "correct the YAML at this place".to_owned()))]
        })?;
        let mut faults = schema::faults(&mut located);
        let flow = match serde_json::from_value::<FlowFile>(located.json.clone()) {
            Ok(file) => {
                let mut check = check::Check::new(&file, &located);
                let flow = check.flow(overrides, text);
                faults.extend(check.into_faults());
                Some(flow)
            }
            Err(error) if faults.is_empty() => {
                let why = error.to_string();
                let remedy = "compare with schemas/flow.v1.json".to_owned();
                faults.push((located.place(""), FaultKind::BadValue { why }, remedy));
                None
            }
            Err(_) => None,
        };
        match flow {
            Some(flow) if faults.is_empty() => Ok(flow),
            Some(_) | None => {
                faults.sort_by_key(|(place, _, _)| *place);
                faults.dedup();
                Err(faults.into_iter().map(fault).collect())
            }
        }
    }

    /// Whether callers are told that they may be recorded.
    #[must_use]
    pub const fn announces_recording(&self) -> bool {
        self.file.announces_recording
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Fingerprint of its text: the first 12 hexadecimal digits of its SHA-256.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Its text; with [`Flow::overrides`] it can be read again.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The values of its variables that are not the text's own.
    #[must_use]
    pub fn overrides(&self) -> BTreeMap<String, String> {
        let own = &self.file.variables;
        let other = self.variables.iter().filter(|(name, value)| own.get(*name) != Some(value));
        other.map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Names of the queues that it hands over to; the first is the usual one.
    #[must_use]
    pub fn queue_names(&self) -> &[String] {
        &self.file.queues
    }

    /// The tool of this name.
    #[must_use]
    pub fn tool(&self, name: &str) -> Option<&Arc<Tool>> {
        self.tools.get(name)
    }

    /// All that callers may say in it, at whichever step, for a recognizer to check its words.
    #[must_use]
    pub fn vocabulary(&self) -> Expectation {
        Expectation {
            kinds: self.slots.values().map(|slot| slot.kind.clone()).collect(),
            phrases: self.phrases.iter().cloned().chain(super::phrases::globals()).collect(),
            open: false,
        }
    }

    /// Whether some step lets a language model answer.
    #[must_use]
    pub fn wants_answers(&self) -> bool {
        let mut steps = self.intents.values().flat_map(|course| &course.steps);
        steps.any(|step| step.answer.is_some())
    }

    /// What it has.
    #[must_use]
    pub fn summary(&self) -> Summary {
        Summary {
            name: self.file.name.clone(),
            version: self.version.clone(),
            intents: self.intents.keys().cloned().collect(),
            slots: self.slots.keys().cloned().collect(),
            tools: self.tools.keys().cloned().collect(),
            queues: self.file.queues.clone(),
            fixed_prompts: self.fixed_prompts().len(),
        }
    }

    /// All prompts without variables, each once, to be synthesized at load.
    #[must_use]
    pub fn fixed_prompts(&self) -> Vec<Arc<str>> {
        let file = &self.file;
        let mut texts: Vec<&String> = vec![&file.disclosure, &file.greeting, &file.hours.closed];
        texts.extend([&file.menu.ask, &file.menu.help, &file.emergency.say]);
        texts.extend(&file.menu.reprompts);
        texts.extend(file.prompts.all());
        for slot in file.slots.values() {
            texts.extend([&slot.ask, &slot.help, &slot.confirm, &slot.invalid]);
            texts.extend(&slot.reprompts);
        }
        for intent in file.intents.values() {
            texts.extend(intent.steps.iter().map(|step| &step.say));
            let answers = intent.steps.iter().filter_map(|step| step.answer.as_ref());
            texts.extend(answers.map(|answer| &answer.ask));
        }
        let fixed: BTreeSet<&String> =
            texts.into_iter().filter(|text| template::is_fixed(text)).collect();
        fixed.into_iter().map(|text| Arc::from(text.as_str())).collect()
    }

    pub(in crate::conversation) fn open_at(&self, local: DateTime) -> bool {
        self.hours.open_at(local)
    }

    pub(in crate::conversation) fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    pub(in crate::conversation) fn filled(
        &self,
        text: &str,
        variables: &Map<String, Value>,
    ) -> Result<String, ConversationError> {
        template::filled(&self.environment, text, variables).map_err(|error| {
            ConversationError::FlowFaulty { what: text.to_owned(), why: error.to_string() }
        })
    }
}

impl Prompts {
    fn all(&self) -> impl Iterator<Item = &String> {
        let lists = self.waiting.iter().chain(&self.thinking);
        let lists = lists.chain(&self.not_understood).chain(&self.silence);
        lists.chain([
            &self.no_answer,
            &self.denied,
            &self.invalid,
            &self.confirm,
            &self.confirm_intent,
            &self.keypad,
            &self.yes_or_no,
            &self.anything_else,
            &self.go_ahead,
            &self.goodbye,
            &self.silent_goodbye,
            &self.slower,
            &self.transfer,
            &self.tool_again,
            &self.tool_failed,
            &self.fallback,
            &self.nobody_came,
            &self.message_ask,
            &self.message_read,
            &self.message_thanks,
        ])
    }
}

/// The first 12 hexadecimal digits of the text's SHA-256.
fn version(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn conditions_compare_numbers_strings_and_fields() {
        let known = json!({
            "n": 5, "a": 12.5, "today": "2026-11-21", "yes": true, "none": null,
            "order": { "status": "late", "items": [1, 2], "count": 2 },
        });
        let known = known.as_object().cloned().unwrap_or_default();
        for (text, holds) in [
            ("n >= 1 && n <= 10", true),
            ("n > 5", false),
            ("a < 100.0", true),
            ("a < 12", false),
            ("today >= \"2026-11-21\"", true),
            ("!yes", false),
            ("none == null", true),
            ("order.status == \"late\" && order.count == 2", true),
            ("1 in order.items", true),
            ("has(order.weight)", false),
            ("order.weight > 3", false),
            ("n", false),
            ("nothing == 1", false),
        ] {
            let program = cel::Program::compile(text).expect("it is CEL");
            assert_eq!(Condition(program).holds(&known), holds, "{text}");
        }
    }
}
