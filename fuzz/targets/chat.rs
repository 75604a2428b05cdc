//! The events of a language model's answer, in OpenAI's form: text as it came, tool calls put
//! together as they were taken apart, or a fault.
#![no_main]
#![allow(dead_code, reason = "a part of the room is used")]

#[path = "../../models/src/remote/chat_wire.rs"]
mod chat_wire;
#[path = "../../models/src/remote/fault.rs"]
mod fault;

mod speech {
    pub(crate) use cordboard_models::speech::*;
}

use arbitrary::Arbitrary;
use chat_wire::{Assembly, ChatEvent};
use fault::{RemoteFault, retry_after};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

/// Far above what is taken of one call.
const ARGUMENTS_MOST: usize = 1 << 15;

#[derive(Arbitrary, Debug)]
enum Act<'a> {
    Anything(&'a str),
    Text(&'a str),
    Part {
        index: u8,
        id: Option<&'a str>,
        name: Option<&'a str>,
        arguments: Option<&'a str>,
    },
    /// Arguments that are an object, in two parts.
    Call {
        index: u8,
        name: &'a str,
        value: &'a str,
        cut: u8,
    },
    Reason(u8),
    Usage(u64, u64),
    Error(&'a str),
}

fuzz_target!(|input: (&str, Vec<Act<'_>>)| {
    let (header, acts) = input;
    assert!(retry_after(Some(header)).is_none_or(|it| it.as_secs() <= 3_600));
    let mut answer = Assembly::default();
    let mut calls: Vec<(String, String, String)> = Vec::new();
    let mut exact = true;
    for act in acts {
        let mut told = Vec::new();
        match act {
            Act::Anything(text) => {
                exact = false;
                told.push((text.to_owned(), None));
            }
            Act::Text(text) => {
                let data = json!({ "choices": [{ "delta": { "content": text } }] });
                told.push((data.to_string(), Some(text).filter(|it| !it.is_empty())));
            }
            Act::Part { index, id, name, arguments } => {
                let part = [id, name, arguments];
                told.push((fragment(&mut calls, usize::from(index), part), None));
            }
            Act::Call { index, name, value, cut } => {
                let arguments = json!({ "x": value }).to_string();
                let mut cut = usize::from(cut).min(arguments.len());
                while !arguments.is_char_boundary(cut) {
                    cut -= 1;
                }
                let (index, id) = (usize::from(index % 4), Some("id"));
                let first = [id, Some(name), Some(&arguments[..cut])];
                told.push((fragment(&mut calls, index, first), None));
                let second = [None, None, Some(&arguments[cut..])];
                told.push((fragment(&mut calls, index, second), None));
            }
            Act::Reason(which) => {
                let reason = ["stop", "length", "tool_calls", "?"][usize::from(which % 4)];
                let data = json!({ "choices": [{ "finish_reason": reason }] });
                told.push((data.to_string(), None));
            }
            Act::Usage(asked, answered) => {
                let usage = json!({ "prompt_tokens": asked, "completion_tokens": answered });
                told.push((json!({ "choices": [], "usage": usage }).to_string(), None));
            }
            Act::Error(words) => {
                let data = json!({ "error": { "message": format!("sk-key {words}") } });
                told.push((data.to_string(), None));
            }
        }
        for (data, text) in told {
            match answer.take(&data) {
                Ok(given) => assert!(!exact || given.as_deref() == text),
                Err(fault) => return assert!(!fault.to_string().contains("sk-key")),
            }
        }
    }
    let Ok(events) = answer.end() else { return };
    let (last, events) = events.split_last().expect("an end");
    assert!(matches!(last, ChatEvent::Ended { .. }));
    let mut expected = calls.into_iter();
    for event in events {
        let ChatEvent::ToolCall(call) = event else { panic!("{event:?}") };
        assert!(!call.name.is_empty() && call.arguments.is_object());
        assert!(call.arguments.to_string().len() <= ARGUMENTS_MOST);
        if exact {
            let (id, name, arguments) = expected.next().expect("as many as were taken apart");
            let arguments = if arguments.trim().is_empty() { "{}" } else { &arguments };
            assert_eq!((&call.id, &call.name), (&id, &name));
            assert_eq!(
                Some(&call.arguments),
                serde_json::from_str::<Value>(arguments).ok().as_ref()
            );
        }
    }
    assert!(!exact || expected.next().is_none());
});

/// Data with a part of a tool call; `calls` has what all parts come to.
fn fragment(
    calls: &mut Vec<(String, String, String)>,
    index: usize,
    [id, name, arguments]: [Option<&str>; 3],
) -> String {
    // Beyond what is taken, the answer is a fault.
    if index < 64 {
        calls.resize(calls.len().max(index + 1), Default::default());
        calls[index].0.push_str(id.unwrap_or_default());
        calls[index].1.push_str(name.unwrap_or_default());
        calls[index].2.push_str(arguments.unwrap_or_default());
    }
    let function = json!({ "name": name, "arguments": arguments });
    let part = json!({ "index": index, "id": id, "function": function });
    json!({ "choices": [{ "delta": { "tool_calls": [part] } }] }).to_string()
}
