//! Tools: what is sent to the company's system, and what its answer means.
//!
//! Deliberately absent: HTTP itself. The shell sends a [`ToolRequest`] and brings back status and
//! body; [`Tool::judge`] says what they amount to.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::Validator;
use minijinja::Environment;
use serde_json::{Map, Value};

use super::format::ToolText;
use super::template;
use crate::conversation::{ConversationError, ToolOutcome};
use crate::timeline::ToolVerdict;

/// A tool of a flow, ready to be used.
#[derive(Debug)]
pub struct Tool {
    /// Its name in the flow.
    pub name: Arc<str>,
    pub(super) text: ToolText,
    /// Names of the values that it takes.
    pub(super) takes: Vec<String>,
    pub(super) result: Option<Validator>,
    pub(super) environment: Arc<Environment<'static>>,
    pub(super) variables: Arc<BTreeMap<String, String>>,
}

/// What is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolRequest {
    /// HTTP method, "GET".
    pub method: &'static str,
    /// The address.
    pub url: String,
    /// JSON body, where there is one.
    pub body: Option<Value>,
}

impl Tool {
    /// Fills the tool's templates with an invocation's arguments.
    ///
    /// # Errors
    /// `FlowFaulty` where a template cannot be filled.
    pub fn request(&self, arguments: &Value) -> Result<ToolRequest, ConversationError> {
        let faulty = |error: minijinja::Error| ConversationError::FlowFaulty {
            what: self.name.to_string(),
            why: error.to_string(),
        };
        let none = Map::new();
        let given = arguments.as_object().unwrap_or(&none);
        let url = template::address(&self.environment, &self.text.url, given, &self.variables)
            .map_err(faulty)?;
        let mut all = given.clone();
        for (name, value) in self.variables.iter() {
            all.insert(name.clone(), Value::String(value.clone()));
        }
        let mut body = Map::new();
        for (field, text) in &self.text.body {
            let filled = template::filled(&self.environment, text, &all).map_err(faulty)?;
            body.insert(field.clone(), Value::String(filled));
        }
        Ok(ToolRequest {
            method: self.text.method.name(),
            url,
            body: (!body.is_empty()).then_some(Value::Object(body)),
        })
    }

    /// Says what an HTTP answer amounts to; `body` is null where it was no JSON.
    #[must_use]
    pub fn judge(&self, status: u16, body: Value, took_ms: u64) -> ToolOutcome {
        let verdict = match &self.result {
            _ if !(200..300).contains(&status) => ToolVerdict::Status(status),
            Some(schema) if !schema.is_valid(&body) => ToolVerdict::Malformed,
            Some(_) | None => ToolVerdict::Done,
        };
        let result = if verdict == ToolVerdict::Malformed { Value::Null } else { body };
        ToolOutcome { verdict, result, took_ms }
    }

    /// How long one attempt may take, ms.
    #[must_use]
    pub fn timeout_ms(&self) -> u64 {
        self.text.timeout_ms
    }

    /// How often the shell may send it again within one invocation; 0 unless idempotent.
    #[must_use]
    pub fn retries(&self) -> u8 {
        if self.text.idempotent { self.text.retries } else { 0 }
    }

    /// Whether doing it twice does the same as doing it once.
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.text.idempotent
    }

    /// Name of the outcome that a verdict has in the flow: "done", one of the tool's own, or none
    /// for a failure.
    pub(in crate::conversation) fn outcome(&self, verdict: &ToolVerdict) -> Option<&str> {
        match verdict {
            ToolVerdict::Done => Some("done"),
            ToolVerdict::Status(status) => {
                self.text.outcomes.get(&status.to_string()).map(String::as_str)
            }
            ToolVerdict::TimedOut | ToolVerdict::Unreachable | ToolVerdict::Malformed => None,
        }
    }

    /// The arguments among all that is known, or the name of one that is missing.
    pub(in crate::conversation) fn arguments(
        &self,
        known: &Map<String, Value>,
    ) -> Result<Value, String> {
        let mut arguments = Map::new();
        for name in &self.takes {
            let value = known.get(name).ok_or_else(|| name.clone())?;
            arguments.insert(name.clone(), value.clone());
        }
        Ok(Value::Object(arguments))
    }
}
