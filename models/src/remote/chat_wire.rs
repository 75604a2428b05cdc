//! Requests and streamed answers of OpenAI's chat completions, as its reference has them.
//!
//! Pure. Source: platform.openai.com, "Create chat completion" with `stream`. Tool calls come in
//! fragments, which are put together here by their index.

use serde::Deserialize;
use serde_json::{Value, json};

use super::RemoteFault;
use super::fault::place_of;
use crate::speech::ToolCall;

/// Tool calls that one answer may hold.
const CALLS_MAX: usize = 16;
/// Longest arguments of one tool call, bytes.
const ARGUMENTS_MAX: usize = 16 * 1024;

/// Who says a message.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatRole {
    /// The instructions: ours alone, never a caller's words.
    System,
    /// The caller, and any other data.
    User,
    /// The model, with the tools that it called.
    Assistant(Vec<ToolCall>),
    /// A tool's result, by the number of its call.
    Tool(String),
}

/// A message of a chat.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatMessage {
    /// Who.
    pub role: ChatRole,
    /// What.
    pub content: String,
}

/// A tool that the model may name.
#[derive(Clone, Debug, PartialEq)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// What it does, for the model.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
}

/// Whether tools are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model likes.
    Auto,
    /// This one, and nothing else is said.
    Force(String),
}

/// What a model is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct ChatRequest {
    /// The chat so far.
    pub messages: Vec<ChatMessage>,
    /// The tools.
    pub tools: Vec<ToolSpec>,
    /// Whether they are called.
    pub choice: ToolChoice,
    /// Tokens of the answer at most.
    pub tokens_max: u32,
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// It was complete.
    Stop,
    /// At the most tokens.
    Length,
    /// Tools are to be called.
    ToolCalls,
    /// The vendor's filter, or a reason that we do not know.
    Other,
}

/// Tokens that an answer cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Usage {
    /// Of the request.
    #[serde(default)]
    pub prompt_tokens: u64,
    /// Of the answer.
    #[serde(default)]
    pub completion_tokens: u64,
}

/// A step of an answer.
#[derive(Clone, Debug, PartialEq)]
pub enum ChatEvent {
    /// More text.
    Text(String),
    /// A tool call, whole.
    ToolCall(ToolCall),
    /// The end; nothing follows.
    Ended {
        /// Why.
        reason: FinishReason,
        /// What it cost, where the host says so.
        usage: Option<Usage>,
    },
}

impl ChatRequest {
    /// The request's body.
    pub(super) fn body(&self, model: &str) -> Value {
        let mut body = json!({
            "model": model,
            "messages": self.messages.iter().map(message).collect::<Vec<_>>(),
            "stream": true,
            "stream_options": { "include_usage": true },
            "max_tokens": self.tokens_max,
            "temperature": 0,
        });
        if !self.tools.is_empty() {
            body["tools"] = self.tools.iter().map(tool).collect();
            body["tool_choice"] = match &self.choice {
                ToolChoice::Auto => json!("auto"),
                ToolChoice::Force(name) => {
                    json!({ "type": "function", "function": { "name": name } })
                }
            };
        }
        body
    }
}

fn message(message: &ChatMessage) -> Value {
    let content = &message.content;
    match &message.role {
        ChatRole::System => json!({ "role": "system", "content": content }),
        ChatRole::User => json!({ "role": "user", "content": content }),
        ChatRole::Tool(id) => json!({ "role": "tool", "tool_call_id": id, "content": content }),
        ChatRole::Assistant(calls) if calls.is_empty() => {
            json!({ "role": "assistant", "content": content })
        }
        ChatRole::Assistant(calls) => {
            let call = |call: &ToolCall| {
                let arguments = call.arguments.to_string();
                let function = json!({ "name": call.name, "arguments": arguments });
                json!({ "id": call.id, "type": "function", "function": function })
            };
            let calls: Vec<Value> = calls.iter().map(call).collect();
            json!({ "role": "assistant", "content": content, "tool_calls": calls })
        }
    }
}

fn tool(tool: &ToolSpec) -> Value {
    json!({ "type": "function", "function": {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }})
}

/// One event of the stream.
#[derive(Debug, Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Option<Vec<Choice>>,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default)]
    error: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    #[serde(default)]
    finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Delta {
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    tool_calls: Option<Vec<Fragment>>,
}

#[derive(Debug, Deserialize)]
struct Fragment {
    #[serde(default)]
    index: usize,
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    function: Part,
}

#[derive(Debug, Default, Deserialize)]
struct Part {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    arguments: Option<String>,
}

/// An answer being put together.
#[derive(Debug, Default)]
pub(super) struct Assembly {
    calls: Vec<(String, String, String)>,
    reason: Option<FinishReason>,
    usage: Option<Usage>,
}

impl Assembly {
    /// Takes the data of one event; the text in it.
    pub(super) fn take(&mut self, data: &str) -> Result<Option<String>, RemoteFault> {
        let chunk: Chunk = serde_json::from_str(data)
            .map_err(|error| RemoteFault::Malformed { why: place_of(&error) })?;
        if chunk.error.is_some() {
            // Its words may repeat the caller's, or the key.
            return Err(RemoteFault::Reported { words: "an error within the answer".to_owned() });
        }
        self.usage = chunk.usage.or(self.usage);
        let Some(choice) = chunk.choices.into_iter().flatten().next() else { return Ok(None) };
        for fragment in choice.delta.tool_calls.into_iter().flatten() {
            self.fragment(&fragment)?;
        }
        if let Some(reason) = choice.finish_reason {
            self.reason = Some(match reason.as_str() {
                "stop" => FinishReason::Stop,
                "length" => FinishReason::Length,
                "tool_calls" | "function_call" => FinishReason::ToolCalls,
                _ => FinishReason::Other,
            });
        }
        Ok(choice.delta.content.filter(|text| !text.is_empty()))
    }

    fn fragment(&mut self, fragment: &Fragment) -> Result<(), RemoteFault> {
        if fragment.index >= CALLS_MAX {
            return Err(RemoteFault::Excess { limit: CALLS_MAX, unit: "tool calls" });
        }
        while self.calls.len() <= fragment.index {
            self.calls.push(Default::default());
        }
        let (id, name, arguments) = &mut self.calls[fragment.index];
        id.push_str(fragment.id.as_deref().unwrap_or_default());
        name.push_str(fragment.function.name.as_deref().unwrap_or_default());
        arguments.push_str(fragment.function.arguments.as_deref().unwrap_or_default());
        if name.len() + id.len() + arguments.len() > ARGUMENTS_MAX {
            return Err(RemoteFault::Excess { limit: ARGUMENTS_MAX, unit: "bytes of a tool call" });
        }
        Ok(())
    }

    /// The tool calls and the end, once the stream has ended.
    pub(super) fn end(self) -> Result<Vec<ChatEvent>, RemoteFault> {
        // A stream that ends before it says why was cut.
        let reason = self.reason.ok_or(RemoteFault::Closed)?;
        let mut events = Vec::new();
        for (id, name, arguments) in self.calls {
            let text = if arguments.trim().is_empty() { "{}" } else { &arguments };
            let arguments: Value = serde_json::from_str(text)
                .map_err(|error| RemoteFault::Malformed { why: place_of(&error) })?;
            if !arguments.is_object() || name.is_empty() {
                let why = "a tool call without a name, or whose arguments are no object";
                return Err(RemoteFault::Malformed { why: why.to_owned() });
            }
            events.push(ChatEvent::ToolCall(ToolCall { id, name, arguments }));
        }
        events.push(ChatEvent::Ended { reason, usage: self.usage });
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fragments_of_two_tool_calls_are_put_together_by_index() {
        let mut answer = Assembly::default();
        for data in [
            r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[
              {"index":0,"id":"a","type":"function",
               "function":{"name":"find","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\"x\""}},
              {"index":1,"id":"b","function":{"name":"list","arguments":""}}]}}]}"#,
            r#"{"choices":[{"delta":{"tool_calls":[
              {"index":0,"function":{"arguments":":1}"}}]}}]}"#,
            r#"{"choices":[{"delta":{},"finish_reason":"tool_calls"}]}"#,
            r#"{"choices":null,"usage":{"prompt_tokens":7,"completion_tokens":3}}"#,
        ] {
            assert_eq!(answer.take(data), Ok(None));
        }
        let call = |id: &str, name: &str, arguments| {
            let (id, name) = (id.to_owned(), name.to_owned());
            ChatEvent::ToolCall(ToolCall { id, name, arguments })
        };
        let usage = Some(Usage { prompt_tokens: 7, completion_tokens: 3 });
        let end = ChatEvent::Ended { reason: FinishReason::ToolCalls, usage };
        let expected = [call("a", "find", json!({"x": 1})), call("b", "list", json!({})), end];
        assert_eq!(answer.end().unwrap(), expected);
    }

    #[test]
    fn half_an_answer_and_broken_arguments_are_faults() {
        let mut cut = Assembly::default();
        assert_eq!(
            cut.take(r#"{"choices":[{"delta":{"content":"Your"}}]}"#),
            Ok(Some("Your".into()))
        );
        assert_eq!(cut.end(), Err(RemoteFault::Closed));
        let mut broken = Assembly::default();
        let data = r#"{"choices":[{"delta":{"tool_calls":[{"index":0,"function":
            {"name":"x","arguments":"{\"a\":"}}]},"finish_reason":"tool_calls"}]}"#;
        broken.take(data).unwrap();
        assert!(matches!(broken.end(), Err(RemoteFault::Malformed { .. })));
        let many = r#"{"choices":[{"delta":{"tool_calls":[{"index":900000}]}}]}"#;
        assert!(matches!(Assembly::default().take(many), Err(RemoteFault::Excess { .. })));
    }
}
