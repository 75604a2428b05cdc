//! The faults of meaning in a flow, and its making where there are none.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cordboard_models::speech::{Intent, Phrase, PhrasePart, SlotKind};
use minijinja::Environment;

use super::format::{FlowFile, IntentText, SlotText, SlotType, StepText, ToolText};
use super::hours::OpenHours;
use super::located::{Located, join};
use super::schema::suggestion;
use super::{Condition, Course, FaultKind, Flow, Place, Slot, Step, Tool, phrase, template};

/// What templates and conditions can always read.
const BUILT_IN: [&str; 4] = ["caller", "open", "today", "now"];
/// Longest string of digits that is asked for; above it nobody reads them without error.
const MAX_DIGITS: u8 = 24;

/// A flow file under examination.
pub(super) struct Check<'a> {
    pub(super) file: &'a FlowFile,
    located: &'a Located,
    environment: Arc<Environment<'static>>,
    variables: Arc<BTreeMap<String, String>>,
    faults: Vec<(Place, FaultKind, String)>,
    /// What each phrase stands for, to find those that stand for two things.
    spoken_for: BTreeMap<String, String>,
}

impl<'a> Check<'a> {
    pub(super) fn new(file: &'a FlowFile, located: &'a Located) -> Self {
        Self {
            file,
            located,
            environment: Arc::new(template::environment()),
            variables: Arc::default(),
            faults: Vec::new(),
            spoken_for: BTreeMap::new(),
        }
    }

    /// Examines everything; the flow is good only where no fault was found.
    pub(super) fn flow(&mut self, overrides: &BTreeMap<String, String>, text: &str) -> Flow {
        let mut variables = self.file.variables.clone();
        for (name, value) in overrides {
            // An override for a variable of another flow is not this flow's fault.
            variables.entry(name.clone()).and_modify(|known| known.clone_from(value));
        }
        self.variables = Arc::new(variables);
        let hours = self.hours();
        let slots = self.slots();
        let tools = self.tools();
        let mut phrases = Vec::new();
        let mut intents = BTreeMap::new();
        let file = self.file;
        for (name, text) in &file.intents {
            let at = join("/intents", name);
            let said =
                self.phrases(&join(&at, "phrases"), &text.phrases, &format!("intent:{name}"));
            let course = self.course(&at, text, &said, &tools);
            phrases.extend(said);
            intents.insert(name.clone(), course);
        }
        phrases.extend(self.phrases("/emergency/phrases", &file.emergency.phrases, "emergency"));
        self.house_prompts();
        Flow {
            file: file.clone(),
            slots,
            intents,
            tools,
            phrases,
            rankable: rankable(file),
            variables: Arc::clone(&self.variables),
            environment: Arc::clone(&self.environment),
            hours,
            version: super::version(text),
            text: text.into(),
        }
    }

    pub(super) fn into_faults(self) -> Vec<(Place, FaultKind, String)> {
        self.faults
    }

    pub(super) fn fault(&mut self, pointer: &str, kind: FaultKind, remedy: impl Into<String>) {
        self.faults.push((self.located.place(pointer), kind, remedy.into()));
    }

    pub(super) fn unknown<'n>(
        &mut self,
        pointer: &str,
        what: &'static str,
        name: &str,
        among: impl IntoIterator<Item = &'n String>,
    ) {
        let among: Vec<&str> = among.into_iter().map(String::as_str).collect();
        let remedy = suggestion(name, &among);
        self.fault(pointer, FaultKind::UnknownName { what, name: name.to_owned() }, remedy);
    }

    fn hours(&mut self) -> OpenHours {
        let hours = OpenHours::read(&self.file.hours).unwrap_or_else(|bad| {
            for day in bad {
                let why = format!("hours of `{day}` cannot be read");
                let remedy = "write a weekday and two times: `monday: \"09:00-17:30\"`";
                self.fault(&join("/hours/days", &day), FaultKind::BadValue { why }, remedy);
            }
            OpenHours::default()
        });
        if !self.file.hours.days.is_empty() && self.file.hours.closed.is_empty() {
            let what = "`closed`, for calls outside the hours";
            self.fault("/hours", FaultKind::MissingPrompt { what }, "add `closed:` under `hours`");
        }
        hours
    }

    fn slots(&mut self) -> BTreeMap<String, Slot> {
        let file = self.file;
        let each = file.slots.iter();
        each.map(|(name, text)| (name.clone(), self.slot(&join("/slots", name), text))).collect()
    }

    fn slot(&mut self, at: &str, text: &SlotText) -> Slot {
        let known = self.all_names();
        for (field, prompt) in [("ask", &text.ask), ("help", &text.help)] {
            self.template(&join(at, field), prompt, &known);
        }
        for (index, prompt) in text.reprompts.iter().enumerate() {
            self.template(&format!("{at}/reprompts/{index}"), prompt, &known);
        }
        let mut with_value = known;
        with_value.extend(["value".to_owned(), "spoken".to_owned()]);
        for (field, prompt) in [("confirm", &text.confirm), ("invalid", &text.invalid)] {
            self.template(&join(at, field), prompt, &with_value);
        }
        if text.ask.trim().is_empty() {
            let what = "the question for the slot";
            self.fault(&join(at, "ask"), FaultKind::MissingPrompt { what }, "write the question");
        }
        if text.reprompts.len() < 2 {
            let what = "`reprompts`, two other wordings of the question";
            let remedy = "add `reprompts:` with two sentences that say it differently";
            self.fault(at, FaultKind::MissingPrompt { what }, remedy);
        }
        let valid = self.condition(&join(at, "valid"), &text.valid, &with_value);
        Slot { text: text.clone(), kind: self.kind(at, text), valid }
    }

    fn kind(&mut self, at: &str, text: &SlotText) -> SlotKind {
        let lengths = [("length", text.length), ("min", text.min), ("max", text.max)];
        if text.r#type != SlotType::Digits {
            for (field, _) in lengths.iter().filter(|(_, value)| value.is_some()) {
                let why = format!("`{field}` is for slots of type digits");
                self.fault(&join(at, field), FaultKind::BadValue { why }, "remove it");
            }
        }
        if text.r#type == SlotType::Choice && text.choices.len() < 2 {
            let why = "a choice needs at least two `choices`".to_owned();
            self.fault(at, FaultKind::BadValue { why }, "list what may be chosen");
        }
        if text.r#type == SlotType::Digits {
            self.digits(at, text);
        }
        kind_of(text)
    }

    fn digits(&mut self, at: &str, text: &SlotText) {
        if let SlotKind::Digits { min, max } = kind_of(text)
            && (min == 0 || min > max || max > MAX_DIGITS)
        {
            let why = format!("{min} to {max} digits cannot be asked for");
            let remedy = format!("use lengths from 1 to {MAX_DIGITS}, min before max");
            let field = if text.length.is_some() { "length" } else { "max" };
            self.fault(&join(at, field), FaultKind::BadValue { why }, remedy);
        }
        if text.length.is_none() && text.max.is_none() {
            let name = "length".to_owned();
            let remedy = "say how many digits: `length: 6`, or `min` and `max`";
            self.fault(at, FaultKind::MissingField { name }, remedy);
        }
    }

    fn tools(&mut self) -> BTreeMap<String, Arc<Tool>> {
        let file = self.file;
        let each = file.tools.iter();
        each.map(|(name, text)| (name.clone(), Arc::new(self.tool(name, text)))).collect()
    }

    fn tool(&mut self, name: &str, text: &ToolText) -> Tool {
        let at = join("/tools", name);
        let known = self.all_names();
        let mut takes = self.template(&join(&at, "url"), &text.url, &known);
        for (field, value) in &text.body {
            takes.extend(self.template(&join(&join(&at, "body"), field), value, &known));
        }
        takes.retain(|name| !self.variables.contains_key(name));
        if text.retries > 0 && !text.idempotent {
            let why = "`retries` on a tool that is not idempotent".to_owned();
            let remedy = "add `idempotent: true` where doing it twice does no harm, \
                          else remove `retries`";
            self.fault(&join(&at, "retries"), FaultKind::BadValue { why }, remedy);
        }
        for status in text.outcomes.keys() {
            let number: Option<u16> = status.parse().ok();
            if number.is_none_or(|number| !(300..600).contains(&number)) {
                let why = format!("`{status}` is no HTTP status of a refusal");
                let pointer = join(&join(&at, "outcomes"), status);
                self.fault(&pointer, FaultKind::BadValue { why }, "use a status from 300 to 599");
            }
        }
        let result = if text.result.is_null() {
            None
        } else {
            match jsonschema::validator_for(&text.result) {
                Ok(validator) => Some(validator),
                Err(error) => {
                    let why = error.to_string();
                    let remedy = "write a JSON Schema, draft 2020-12";
                    self.fault(&join(&at, "result"), FaultKind::BadSchema { why }, remedy);
                    None
                }
            }
        };
        Tool {
            name: Arc::from(name),
            text: text.clone(),
            takes: takes.into_iter().collect(),
            result,
            environment: Arc::clone(&self.environment),
            variables: Arc::clone(&self.variables),
        }
    }

    fn phrases(&mut self, at: &str, texts: &[String], tag: &str) -> Vec<Phrase> {
        let mut phrases = Vec::new();
        for (index, text) in texts.iter().enumerate() {
            let pointer = format!("{at}/{index}");
            let slots = &self.file.slots;
            let kind = |name: &str| slots.get(name).map(kind_of);
            match phrase::read(text, tag, kind) {
                Ok(phrase) => phrases.push(phrase),
                Err(FaultKind::UnknownName { what, name }) => {
                    self.unknown(&pointer, what, &name, slots.keys());
                }
                Err(kind) => {
                    let remedy = "use lower-case words without figures or punctuation, \
                                  and slots in braces";
                    self.fault(&pointer, kind, remedy);
                }
            }
            let other = self.spoken_for.insert(text.clone(), tag.to_owned());
            if let Some(other) = other.filter(|other| other != tag) {
                let remedy = "keep it in one of the two places";
                self.fault(&pointer, FaultKind::AmbiguousPhrase { other }, remedy);
            }
        }
        phrases
    }

    fn course(
        &mut self,
        at: &str,
        text: &IntentText,
        phrases: &[Phrase],
        tools: &BTreeMap<String, Arc<Tool>>,
    ) -> Course {
        let filled = self.filled_in(text, phrases);
        let steps_at = join(at, "steps");
        let ids: BTreeSet<&String> =
            text.steps.iter().map(|step| &step.id).filter(|id| !id.is_empty()).collect();
        let mut reached = true;
        let mut steps = Vec::new();
        for (index, step) in text.steps.iter().enumerate() {
            let pointer = format!("{steps_at}/{index}");
            let aimed_at = !step.id.is_empty()
                && text.steps.iter().any(|other| {
                    other.goto == step.id
                        || other.on.values().any(|target| *target == step.id)
                        || other.answer.as_ref().is_some_and(|it| it.otherwise == step.id)
                });
            reached = reached || aimed_at;
            if !reached {
                let remedy = "remove it, or lead to it with `goto`, `on` or `otherwise`";
                self.fault(&pointer, FaultKind::Unreachable, remedy);
            }
            self.step(&pointer, step, &ids);
            self.template(&join(&pointer, "say"), &step.say, &filled);
            let when = self.condition(&join(&pointer, "when"), &step.when, &filled);
            if !step.invoke.is_empty() {
                self.arguments(&join(&pointer, "invoke"), &step.invoke, &filled);
            }
            let leaves = step.end || !step.goto.is_empty() || !step.escalate.is_empty();
            reached = !(leaves && step.when.is_empty());
            let answer = step.answer.as_ref().map(|answer| {
                let at = join(&pointer, "answer");
                Arc::new(self.answer(&at, answer, text, tools, &filled))
            });
            steps.push(Step { text: step.clone(), when, answer });
        }
        Course { title: text.title.clone(), steps }
    }

    fn step(&mut self, at: &str, step: &StepText, ids: &BTreeSet<&String>) {
        let file = self.file;
        let texts = [&step.ask, &step.invoke, &step.goto, &step.escalate];
        let count = texts.iter().filter(|text| !text.is_empty()).count()
            + usize::from(step.end)
            + usize::from(step.answer.is_some());
        let idle = count == 0 && step.say.is_empty() && step.forget.is_empty();
        if count > 1 || idle {
            let says = if step.say.is_empty() { "nothing" } else { "something" };
            let remedy = "give each step one thing to do; split it where it does more";
            self.fault(at, FaultKind::MuddledStep { count, says }, remedy);
        }
        if !step.ask.is_empty() && !file.slots.contains_key(&step.ask) {
            self.unknown(&join(at, "ask"), "slot", &step.ask, file.slots.keys());
        }
        for (index, slot) in step.forget.iter().enumerate() {
            if !file.slots.contains_key(slot) {
                self.unknown(&format!("{at}/forget/{index}"), "slot", slot, file.slots.keys());
            }
        }
        if !step.goto.is_empty() && !ids.contains(&step.goto) {
            self.unknown(&join(at, "goto"), "step", &step.goto, ids.iter().copied());
        }
        if !step.escalate.is_empty() && !file.queues.contains(&step.escalate) {
            self.unknown(&join(at, "escalate"), "queue", &step.escalate, &file.queues);
        }
        if let Some(answer) = &step.answer
            && !answer.otherwise.is_empty()
            && !ids.contains(&answer.otherwise)
        {
            let pointer = join(&join(at, "answer"), "otherwise");
            self.unknown(&pointer, "step", &answer.otherwise, ids.iter().copied());
        }
        if step.invoke.is_empty() {
            return;
        }
        let Some(tool) = file.tools.get(&step.invoke) else {
            self.unknown(&join(at, "invoke"), "tool", &step.invoke, file.tools.keys());
            return;
        };
        for (outcome, target) in &step.on {
            let pointer = join(&join(at, "on"), outcome);
            if !ids.contains(target) {
                self.unknown(&pointer, "step", target, ids.iter().copied());
            }
            let known = ["done".to_owned(), "failed".to_owned()];
            if !tool.outcomes.values().chain(&known).any(|known| known == outcome) {
                self.unknown(&pointer, "outcome", outcome, tool.outcomes.values().chain(&known));
            }
        }
        for outcome in tool.outcomes.values() {
            if !step.on.contains_key(outcome) {
                let kind =
                    FaultKind::OpenOutcome { tool: step.invoke.clone(), outcome: outcome.clone() };
                let remedy = format!("add `{outcome}: <step>` under `on`");
                self.fault(&join(at, "invoke"), kind, remedy);
            }
        }
    }

    /// Whether all that a tool takes is filled where it is invoked.
    fn arguments(&mut self, at: &str, tool: &str, filled: &BTreeSet<String>) {
        let Some(text) = self.file.tools.get(tool) else { return };
        let texts = std::iter::once(&text.url).chain(text.body.values());
        let taken: BTreeSet<String> = texts
            .filter_map(|text| template::variables(&self.environment, text).ok())
            .flatten()
            .collect();
        for name in taken.difference(filled) {
            let remedy = format!("ask for `{name}` in an earlier step of this intent");
            self.fault(at, FaultKind::Unfilled { name: name.clone() }, remedy);
        }
    }

    /// What an intent's own steps and phrases fill, with what is always there.
    fn filled_in(&self, text: &IntentText, phrases: &[Phrase]) -> BTreeSet<String> {
        let mut filled = self.always();
        for step in &text.steps {
            if !step.ask.is_empty() {
                filled.insert(step.ask.clone());
            }
            if !step.invoke.is_empty() {
                filled.insert(result_name(step).to_owned());
            }
        }
        for part in phrases.iter().flat_map(|phrase| &phrase.parts) {
            if let PhrasePart::Slot { name, .. } = part {
                filled.insert(name.clone());
            }
        }
        filled
    }

    fn always(&self) -> BTreeSet<String> {
        let built_in = BUILT_IN.iter().map(|name| (*name).to_owned());
        self.variables.keys().cloned().chain(built_in).collect()
    }

    /// Every name that anything in the flow fills.
    fn all_names(&self) -> BTreeSet<String> {
        let mut names = self.always();
        names.extend(self.file.slots.keys().cloned());
        let steps = self.file.intents.values().flat_map(|intent| &intent.steps);
        names.extend(
            steps.filter(|step| !step.invoke.is_empty()).map(|step| result_name(step).to_owned()),
        );
        names
    }

    /// Examines a template and gives the variables that it reads.
    pub(super) fn template(
        &mut self,
        at: &str,
        text: &str,
        known: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        match template::variables(&self.environment, text) {
            Ok(variables) => {
                let variables: BTreeSet<String> = variables.into_iter().collect();
                for name in variables.difference(known) {
                    self.unfilled(at, name, known);
                }
                variables
            }
            Err(error) => {
                let why = error.to_string();
                let remedy =
                    "write variables as `{{ name }}`, with filters as `{{ name | digits }}`";
                self.fault(at, FaultKind::BadTemplate { why }, remedy);
                BTreeSet::new()
            }
        }
    }

    fn condition(&mut self, at: &str, text: &str, known: &BTreeSet<String>) -> Option<Condition> {
        if text.is_empty() {
            return None;
        }
        match cel::Program::compile(text) {
            Ok(program) => {
                let variables: Vec<String> =
                    program.references().variables().into_iter().map(str::to_owned).collect();
                for name in variables.iter().filter(|name| !known.contains(*name)) {
                    self.unfilled(at, name, known);
                }
                Some(Condition(program))
            }
            Err(errors) => {
                let why = errors.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
                let remedy = "write a CEL condition, as `order.status == \"delayed\"`";
                self.fault(at, FaultKind::BadCondition { why }, remedy);
                None
            }
        }
    }

    pub(super) fn unfilled(&mut self, at: &str, name: &str, known: &BTreeSet<String>) {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let remedy = suggestion(name, &known);
        self.fault(at, FaultKind::Unfilled { name: name.to_owned() }, remedy);
    }

    fn house_prompts(&mut self) {
        let file = self.file;
        let always = self.always();
        let with = |names: &[&str]| {
            let names = names.iter().map(|name| (*name).to_owned());
            always.iter().cloned().chain(names).collect::<BTreeSet<_>>()
        };
        let prompts = &file.prompts;
        self.template("/prompts/confirm", &prompts.confirm, &with(&["value", "spoken"]));
        self.template("/prompts/confirm_intent", &prompts.confirm_intent, &with(&["title"]));
        self.template("/prompts/message_read", &prompts.message_read, &with(&["message"]));
        let known = with(&["value", "spoken", "title", "message"]);
        for text in prompts.all() {
            self.template("/prompts", text, &known);
        }
        for (at, text) in [
            ("/disclosure", &file.disclosure),
            ("/greeting", &file.greeting),
            ("/menu/ask", &file.menu.ask),
            ("/menu/help", &file.menu.help),
            ("/hours/closed", &file.hours.closed),
            ("/emergency/say", &file.emergency.say),
        ] {
            self.template(at, text, &always);
        }
        for (index, text) in file.menu.reprompts.iter().enumerate() {
            self.template(&format!("/menu/reprompts/{index}"), text, &always);
        }
        let greeting = file.greeting.to_lowercase();
        if !["automated", "automatic", "virtual", "machine", "computer"]
            .iter()
            .any(|word| greeting.contains(word))
        {
            let what = "that it is an automated assistant who speaks";
            let remedy = "say so in the greeting: \"this is the automated assistant of ...\"";
            self.fault("/greeting", FaultKind::MissingPrompt { what }, remedy);
        }
        let queue = &file.emergency.queue;
        if !queue.is_empty() && !file.queues.contains(queue) {
            self.unknown("/emergency/queue", "queue", queue, &file.queues);
        }
    }
}

/// Name of an invocation's result in templates and conditions.
pub(in crate::conversation) fn result_name(step: &StepText) -> &str {
    if step.r#as.is_empty() { &step.invoke } else { &step.r#as }
}

/// The kind of a slot; its faults are found elsewhere.
pub(super) fn kind_of(text: &SlotText) -> SlotKind {
    match text.r#type {
        SlotType::Digits => SlotKind::Digits {
            min: text.length.or(text.min).unwrap_or(1),
            max: text.length.or(text.max).unwrap_or(MAX_DIGITS),
        },
        SlotType::Number => SlotKind::Number,
        SlotType::Date => SlotKind::Date,
        SlotType::Time => SlotKind::Time,
        SlotType::Amount => SlotKind::Amount,
        SlotType::Name => SlotKind::Name,
        SlotType::YesNo => SlotKind::YesNo,
        SlotType::Choice => SlotKind::Choice(text.choices.clone()),
        SlotType::Open => SlotKind::Open,
    }
}

/// What the language model may choose among: phrases without their slots.
fn rankable(file: &FlowFile) -> Arc<[Intent]> {
    file.intents
        .iter()
        .map(|(name, intent)| Intent {
            name: Arc::from(name.as_str()),
            examples: intent
                .phrases
                .iter()
                .map(|phrase| phrase.replace(['{', '}'], "").replace('_', " "))
                .collect(),
        })
        .collect()
}
