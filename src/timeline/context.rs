//! The context packet: what a human must know to go on where the assistant stopped.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of the packet's form; its JSON Schema is `schemas/context-packet.v1.json`.
pub const PACKET_VERSION: u8 = 1;

/// What the human agent gets, by every route that there is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ContextPacket {
    /// Version of the form, [`PACKET_VERSION`].
    pub version: u8,
    /// The packet's own id, as it stands in `User-to-User`.
    pub packet_id: String,
    /// The call.
    pub call_id: String,
    /// Caller's address as signalled; it proves nothing.
    pub caller: String,
    /// What the caller wants, in the caller's own words.
    pub stated_issue: String,
    /// What the assistant took it for; null where it did not understand.
    pub intent: Option<String>,
    /// How sure it is of the intent, 0 to 1.
    pub confidence: f32,
    /// What is known, and how it was verified.
    pub slots: Vec<SlotFact>,
    /// What was done, with results.
    pub actions: Vec<ActionFact>,
    /// What is settled.
    pub resolved: Vec<String>,
    /// What is not.
    pub unresolved: Vec<String>,
    /// Which rule asked for a human.
    pub trigger: Trigger,
    /// Why, in words.
    pub reason: String,
    /// What was said and heard so far.
    pub transcript: Vec<Line>,
    /// Where more can be read.
    pub links: Links,
}

/// A value that the caller gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SlotFact {
    /// Slot's name in the flow.
    pub name: String,
    /// Its value.
    pub value: String,
    /// How it was verified.
    pub verified: Verified,
    /// Confidence of the recognition, 0 to 1; 1 for keyed values.
    pub confidence: f32,
}

/// How a slot's value was verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verified {
    /// Heard, not confirmed.
    Heard,
    /// Read back, and the caller agreed.
    Confirmed,
    /// Keyed by the caller.
    Keyed,
    /// Known to the company's system.
    System,
}

/// Something the assistant did in the company's systems.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ActionFact {
    /// Tool's name in the flow.
    pub tool: String,
    /// Its arguments.
    pub arguments: Value,
    /// Whether it worked.
    pub succeeded: bool,
    /// What came back; null where nothing did.
    pub result: Value,
}

/// What asked for a human.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// The caller asked for a person.
    Asked,
    /// Three repairs in a row did not help.
    Repairs,
    /// Recognition was too unsure for too long.
    LowConfidence,
    /// A rule in the flow.
    Rule,
    /// A tool failed twice.
    ToolFailed,
    /// Words that signal an emergency.
    Emergency,
}

/// One stretch of the conversation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Line {
    /// Who.
    pub speaker: Speaker,
    /// Begin, ms since the ring.
    pub at_ms: u64,
    /// What the caller said, or what the caller was played of what the assistant said.
    pub text: String,
}

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The caller, by voice.
    Caller,
    /// The caller, by keys.
    Keypad,
    /// The assistant.
    Assistant,
}

/// Where more can be read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Links {
    /// The call's timeline.
    pub timeline: String,
    /// The recording; null where none is made.
    pub recording: Option<String>,
}
