//! The form of a flow file, version 1: what may stand in the YAML, as serde and schemars see it.
//!
//! `schemas/flow.v1.json` is generated from these types. Deliberately absent: what the names in a
//! flow refer to, which `check` looks after.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

/// A flow: what the assistant of one company says, asks and does.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct FlowFile {
    /// Name of the flow.
    pub(crate) name: String,
    /// Values for templates and conditions that may be overridden at start ("service").
    #[serde(default)]
    pub(crate) variables: BTreeMap<String, String>,
    /// Legal text said first; nothing interrupts it. Empty where there is none.
    #[serde(default)]
    pub(crate) disclosure: String,
    /// Whether the disclosure announces a recording: without that, none is made.
    #[serde(default)]
    pub(crate) announces_recording: bool,
    /// Said next; must say that it is an automated assistant.
    pub(crate) greeting: String,
    /// The open question, "how can I help?".
    pub(crate) menu: Menu,
    /// Confidences at which words are accepted, confirmed, or asked for again.
    #[serde(default)]
    pub(crate) confidence: Confidence,
    /// Queues of human agents that escalations may go to; the first is the usual one.
    #[schemars(length(min = 1))]
    pub(crate) queues: Vec<String>,
    /// When the humans are there; always where no day is given.
    #[serde(default)]
    pub(crate) hours: Hours,
    /// Phrases that go straight to a human.
    #[serde(default)]
    pub(crate) emergency: Emergency,
    /// Prompts of the assistant's own, each with a usual wording.
    #[serde(default)]
    pub(crate) prompts: Prompts,
    /// Values that callers give, by name.
    #[serde(default)]
    pub(crate) slots: BTreeMap<String, SlotText>,
    /// Calls of the company's systems, by name.
    #[serde(default)]
    pub(crate) tools: BTreeMap<String, ToolText>,
    /// What callers may want, by name.
    pub(crate) intents: BTreeMap<String, IntentText>,
}

/// The open question.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Menu {
    /// The question.
    pub(crate) ask: String,
    /// Other wordings, for asking again.
    #[schemars(length(min = 2))]
    pub(crate) reprompts: Vec<String>,
    /// What may be said, for a caller who asks for help.
    pub(crate) help: String,
    /// Whether words outside the phrases are listened for, and ranked by the language model.
    #[serde(default)]
    pub(crate) open: bool,
}

/// Confidences, 0 to 1.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Confidence {
    /// From here on words are taken as said.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) accept: f32,
    /// From here on they are asked about; below they are not understood.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) confirm: f32,
    /// A mean over three turns below this brings a human.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub(crate) low: f32,
}

impl Default for Confidence {
    fn default() -> Self {
        Self { accept: 0.6, confirm: 0.3, low: 0.4 }
    }
}

/// When the humans are there.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Hours {
    /// From-to by day ("monday": "09:00-17:00"); a day that is missing is closed.
    pub(crate) days: BTreeMap<String, String>,
    /// Said instead of a hand-over outside these hours, before a message is taken.
    pub(crate) closed: String,
}

/// Phrases that signal an emergency.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Emergency {
    /// The phrases.
    pub(crate) phrases: Vec<String>,
    /// Said while a human is fetched.
    pub(crate) say: String,
    /// Queue that it goes to; the first of the flow where empty.
    pub(crate) queue: String,
}

impl Default for Emergency {
    fn default() -> Self {
        let phrases = [
            "i smell gas",
            "there is a fire",
            "there's a fire",
            "it is on fire",
            "i need an ambulance",
            "call an ambulance",
            "somebody is hurt",
            "someone is hurt",
            "this is an emergency",
        ];
        Self {
            phrases: phrases.map(str::to_owned).to_vec(),
            say: "I am getting a person for you at once. Stay on the line.".to_owned(),
            queue: String::new(),
        }
    }
}

/// Prompts of the assistant's own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Prompts {
    /// Said while a tool or a model keeps the caller waiting; each in its turn.
    #[schemars(length(min = 2))]
    pub(crate) waiting: Vec<String>,
    /// Said while the language model thinks; short, each in its turn.
    #[schemars(length(min = 2))]
    pub(crate) thinking: Vec<String>,
    /// The language model has no answer; the caller may ask again.
    pub(crate) no_answer: String,
    /// Before a question is asked again because the words were not understood.
    #[schemars(length(min = 2))]
    pub(crate) not_understood: Vec<String>,
    /// Before a question is asked again because nothing was said.
    #[schemars(length(min = 2))]
    pub(crate) silence: Vec<String>,
    /// Before a value is asked for again because the caller said that it was wrong.
    pub(crate) denied: String,
    /// Before a value is asked for again because it is not allowed; a slot may have its own.
    pub(crate) invalid: String,
    /// Reads a value back; has `spoken` and `value`. A slot may have its own.
    pub(crate) confirm: String,
    /// Asks whether an intent was meant; has `title`.
    pub(crate) confirm_intent: String,
    /// Offers the keypad for digits.
    pub(crate) keypad: String,
    /// After a question of yes or no was not understood.
    pub(crate) yes_or_no: String,
    /// After the answer.
    pub(crate) anything_else: String,
    /// After "yes, there is something else".
    pub(crate) go_ahead: String,
    /// Said last.
    pub(crate) goodbye: String,
    /// Said last to a caller who says nothing.
    pub(crate) silent_goodbye: String,
    /// Before what is said slower.
    pub(crate) slower: String,
    /// Before a hand-over to a human.
    pub(crate) transfer: String,
    /// A tool failed and is tried again.
    pub(crate) tool_again: String,
    /// A tool failed for good.
    pub(crate) tool_failed: String,
    /// Something in the flow itself failed.
    pub(crate) fallback: String,
    /// The hand-over failed.
    pub(crate) nobody_came: String,
    /// Asks for a message.
    pub(crate) message_ask: String,
    /// Reads the message back; has `message`.
    pub(crate) message_read: String,
    /// After a message was taken.
    pub(crate) message_thanks: String,
}

impl Default for Prompts {
    fn default() -> Self {
        let list = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Self {
            waiting: list(&[
                "I am still looking, one moment please.",
                "This takes a little longer than usual. Thank you for waiting.",
                "I have not forgotten you. One more moment.",
            ]),
            thinking: list(&["Let me see.", "One moment."]),
            no_answer: "I'm sorry, I have no answer just now. Please ask me once more, or ask \
                        for a person."
                .to_owned(),
            not_understood: list(&[
                "I'm sorry, I did not get that.",
                "Sorry, I still did not understand.",
            ]),
            silence: list(&["I did not hear anything.", "Are you still there?"]),
            denied: "Sorry about that.".to_owned(),
            invalid: "I'm afraid that is not possible.".to_owned(),
            confirm: "I heard {{ spoken }}. Is that right?".to_owned(),
            confirm_intent: "This is about {{ title }}. Is that right?".to_owned(),
            keypad: "You can also key it in on your phone.".to_owned(),
            yes_or_no: "Please say yes or no.".to_owned(),
            anything_else: "Is there anything else?".to_owned(),
            go_ahead: "Go ahead.".to_owned(),
            goodbye: "Thank you for calling. Goodbye.".to_owned(),
            silent_goodbye: "I can't hear you, so I will hang up now. Goodbye.".to_owned(),
            slower: "Of course.".to_owned(),
            transfer: "One moment, I will get a colleague for you.".to_owned(),
            tool_again: "I'm sorry, that did not work. I will try once more.".to_owned(),
            tool_failed: "I'm sorry, our system does not answer just now.".to_owned(),
            fallback: "I'm sorry, something went wrong on our side.".to_owned(),
            nobody_came: "I'm sorry, nobody could take your call just now.".to_owned(),
            message_ask: "You can leave a message. Please tell me what it is about.".to_owned(),
            message_read: "I noted: {{ message }}.".to_owned(),
            message_thanks: "Thank you. A colleague will call you back.".to_owned(),
        }
    }
}

/// What a slot takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SlotType {
    /// A string of decimal digits: `length`, or `min` and `max`.
    Digits,
    /// A cardinal number up to 9,999.
    Number,
    /// A calendar date.
    Date,
    /// A time of day.
    Time,
    /// Money.
    Amount,
    /// A person's name.
    Name,
    /// Yes or no.
    YesNo,
    /// One of `choices`.
    Choice,
    /// Anything at all.
    Open,
}

/// When a value is read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Confirmation {
    /// Digits always, other values where the recognition was unsure.
    Usual,
    /// Always, save keyed values.
    Always,
    /// Where the recognition was unsure.
    Unsure,
    /// Never.
    Never,
}

/// A value that callers give.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SlotText {
    /// What it takes.
    pub(crate) r#type: SlotType,
    /// Of digits: how many, exactly.
    pub(crate) length: Option<u8>,
    /// Of digits: how many at least.
    pub(crate) min: Option<u8>,
    /// Of digits: how many at most.
    pub(crate) max: Option<u8>,
    /// Of a choice: the wordings.
    #[serde(default)]
    pub(crate) choices: Vec<String>,
    /// The question for it.
    pub(crate) ask: String,
    /// Other wordings of the question.
    #[serde(default)]
    pub(crate) reprompts: Vec<String>,
    /// What the value is, where to find it.
    #[serde(default)]
    pub(crate) help: String,
    /// When it is read back.
    #[serde(default = "usual")]
    pub(crate) confirmation: Confirmation,
    /// Reads it back; has `value` and `spoken`.
    #[serde(default)]
    pub(crate) confirm: String,
    /// A condition (CEL) on `value` that must hold.
    #[serde(default)]
    pub(crate) valid: String,
    /// Said where it does not hold; has `value` and `spoken`.
    #[serde(default)]
    pub(crate) invalid: String,
    /// Whether it is the caller's account of the issue, for the human who takes over.
    #[serde(default)]
    pub(crate) states_issue: bool,
}

fn usual() -> Confirmation {
    Confirmation::Usual
}

/// HTTP methods that tools use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Method {
    /// Reads.
    Get,
    /// Creates or acts.
    Post,
    /// Replaces.
    Put,
    /// Changes.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// The method's name in HTTP.
    #[must_use]
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A call of the company's systems.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToolText {
    /// HTTP method.
    pub(crate) method: Method,
    /// Template of the address; values are escaped.
    pub(crate) url: String,
    /// Templates of the fields of the JSON body; none where empty.
    #[serde(default)]
    pub(crate) body: BTreeMap<String, String>,
    /// How long one attempt may take, ms.
    #[serde(default = "four_seconds")]
    #[schemars(range(min = 100, max = 30_000))]
    pub(crate) timeout_ms: u64,
    /// Whether doing it twice does the same as doing it once.
    #[serde(default)]
    pub(crate) idempotent: bool,
    /// How often it is tried again within one invocation; only where idempotent.
    #[serde(default)]
    #[schemars(range(max = 3))]
    pub(crate) retries: u8,
    /// Outcomes by HTTP status ("404": not_found).
    #[serde(default)]
    pub(crate) outcomes: BTreeMap<String, String>,
    /// JSON Schema that the result must fit; anything fits where it is missing.
    #[serde(default)]
    pub(crate) result: Value,
}

fn four_seconds() -> u64 {
    4_000
}

/// What a caller may want.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct IntentText {
    /// What it is about, in words that fit after "this is about".
    pub(crate) title: String,
    /// Ways to say it, lower case, with slots in them ("where is my order {order_number}").
    #[schemars(length(min = 1))]
    pub(crate) phrases: Vec<String>,
    /// What is done about it, in order.
    #[schemars(length(min = 1))]
    pub(crate) steps: Vec<StepText>,
}

/// One step: something said, and at most one of `ask`, `invoke`, `answer`, `goto`, `escalate` and
/// `end`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepText {
    /// Name of it, for `goto` and `on`.
    #[serde(default)]
    pub(crate) id: String,
    /// A condition (CEL) over slots and results; the step is left out where it does not hold.
    #[serde(default)]
    pub(crate) when: String,
    /// Said first.
    #[serde(default)]
    pub(crate) say: String,
    /// What stops it: a caller's speech and keys, keys alone, or nothing (what the law wants said).
    #[serde(default)]
    pub(crate) stopped_by: StoppedBy,
    /// Slots whose values are dropped, so that they are asked for again.
    #[serde(default)]
    pub(crate) forget: Vec<String>,
    /// Asks for a slot, where it is not known yet.
    #[serde(default)]
    pub(crate) ask: String,
    /// Calls a tool.
    #[serde(default)]
    pub(crate) invoke: String,
    /// Lets the language model answer the caller.
    #[serde(default)]
    #[schemars(with = "AnswerText")]
    pub(crate) answer: Option<AnswerText>,
    /// Name of the tool's result in templates and conditions; the tool's own where empty.
    #[serde(default)]
    pub(crate) r#as: String,
    /// Step to go on with by outcome; "failed" stands for every failure.
    #[serde(default)]
    pub(crate) on: BTreeMap<String, String>,
    /// Step to go on with.
    #[serde(default)]
    pub(crate) goto: String,
    /// Queue of the human who takes over.
    #[serde(default)]
    pub(crate) escalate: String,
    /// Why a human takes over, in words.
    #[serde(default)]
    pub(crate) reason: String,
    /// Whether the caller has what was wanted.
    #[serde(default)]
    pub(crate) end: bool,
}

/// What stops a sentence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoppedBy {
    /// The caller's speech, and keys.
    #[default]
    Speech,
    /// Keys alone.
    Keys,
    /// Nothing: it is said to its end.
    Nothing,
}

/// A talk that the language model leads: it answers in its own words, of what stands here.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerText {
    /// What the talk is about, in words that fit after "it is about".
    pub(crate) about: String,
    /// Asked first; where empty, what the caller has said already is answered.
    #[serde(default)]
    pub(crate) ask: String,
    /// What the model is to do, beside the rules that always hold. Neither these nor `knowledge`
    /// can read what callers say or systems answer: that is `data`.
    #[serde(default)]
    pub(crate) instructions: String,
    /// What it knows.
    #[serde(default)]
    pub(crate) knowledge: String,
    /// Slots and results of this intent that it is told, as data.
    #[serde(default)]
    pub(crate) data: Vec<String>,
    /// Tools that it may call. It gives the slots that this intent does not ask for.
    #[serde(default)]
    pub(crate) tools: Vec<String>,
    /// The question of yes or no before a tool is called, by tool; reads back what the model gave.
    /// Every tool that does not only read (GET) must have one.
    #[serde(default)]
    pub(crate) confirm: BTreeMap<String, String>,
    /// Turns of the caller at most.
    #[serde(default = "eight")]
    #[schemars(range(min = 1, max = 30))]
    pub(crate) turns_max: u32,
    /// Step to go on with where the model fails twice, finds that a person is wanted, or has taken
    /// `turns_max`; a human takes over where empty.
    #[serde(default)]
    pub(crate) otherwise: String,
}

const fn eight() -> u32 {
    8
}
