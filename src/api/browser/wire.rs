//! What goes over the wire to and from a caller's page. `schemas/browser-call.v1.json` publishes
//! it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::call::{Shown, Standing};
use crate::timeline::Outcome;

/// `POST /v1/tokens`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub(crate) struct TokenWanted {
    /// Which flow the call is to meet, as in `[[route]] to`.
    pub flow: String,
}

/// What `POST /v1/tokens` gives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TokenGiven {
    /// It opens one call.
    pub token: String,
    /// The flow.
    pub flow: String,
    /// Until when it opens, RFC 3339.
    pub expires: String,
    /// The WebSocket that takes it.
    pub url: String,
    /// What an `RTCPeerConnection` is made with.
    pub ice_servers: Vec<IceServers>,
}

/// STUN and TURN servers, as an `RTCPeerConnection` takes them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct IceServers {
    /// `stun:` and `turn:` addresses.
    pub urls: Vec<String>,
    /// Name at a TURN server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Secret at a TURN server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

/// What a page says.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum FromPage {
    /// Begins a call; the first message.
    Begin {
        /// The call token.
        token: String,
        /// The offer.
        sdp: String,
    },
    /// Takes a call up again whose WebSocket broke; the first message.
    Resume {
        /// The call.
        call: String,
        /// What the answer gave.
        resume: String,
        /// An offer of the same `RTCPeerConnection`.
        sdp: String,
    },
    /// A candidate; none after the last.
    Candidate {
        /// An `RTCIceCandidateInit`.
        #[schema(value_type = Option<Object>)]
        candidate: Option<Value>,
    },
    /// Changes or restarts the connection.
    Offer {
        /// The offer.
        sdp: String,
    },
    /// A key of the page's keypad.
    Key {
        /// 0-9, *, #, A-D.
        digit: char,
    },
    /// The page has muted its microphone, or not any more.
    Mute {
        /// Whether it has.
        on: bool,
    },
    /// The caller puts us on hold, or comes back.
    Hold {
        /// Whether on hold.
        on: bool,
    },
    /// The caller wants a human.
    Person,
    /// What the browser has measured.
    Stats {
        /// Sound that it holds before it plays it, ms.
        buffer_ms: u32,
        /// Round trip, ms.
        rtt_ms: Option<u32>,
    },
    /// Hangs up.
    Bye,
}

/// What a page is told.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToPage {
    /// Answers an offer.
    Answer {
        /// The call.
        call: String,
        /// Takes the call up again with `resume`.
        resume: String,
        /// The answer.
        sdp: String,
    },
    /// A candidate; none after the last.
    Candidate {
        /// An `RTCIceCandidateInit`.
        #[schema(value_type = Option<Object>)]
        candidate: Option<Value>,
    },
    /// What is going on.
    State {
        /// What.
        state: PageState,
        /// The human's name, with `agent`.
        agent: Option<String>,
    },
    /// The caller's words.
    Caller {
        /// Which turn, from 1.
        turn: u32,
        /// The words so far, or finally; none where nothing was understood.
        text: String,
        /// Whether they will not change any more.
        r#final: bool,
    },
    /// A line of the assistant's.
    Assistant {
        /// Number of the prompt in the call.
        prompt: u32,
        /// The text of it.
        text: String,
        /// The words that have been heard.
        heard: String,
        /// Whether no more of it will be heard.
        done: bool,
    },
    /// The call is over; the WebSocket closes.
    Ended {
        /// Who or what ended it.
        cause: String,
        /// What came of it.
        outcome: String,
    },
    /// The message before was refused; the WebSocket closes.
    Error {
        /// For programs.
        code: String,
        /// For humans.
        message: String,
        /// What to do.
        remedy: String,
    },
}

/// What is going on in a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PageState {
    /// The caller may speak, or does.
    Listening,
    /// An answer is made.
    Thinking,
    /// The assistant speaks.
    Speaking,
    /// The caller has put us on hold.
    Hold,
    /// The caller waits for a human.
    Waiting,
    /// The caller talks with a human.
    Agent,
}

impl From<Shown> for ToPage {
    fn from(shown: Shown) -> Self {
        match shown {
            Shown::Caller { turn, text, is_final } => {
                Self::Caller { turn, text, r#final: is_final }
            }
            Shown::Assistant { prompt, text, heard, is_over } => {
                Self::Assistant { prompt, text: text.to_string(), heard, done: is_over }
            }
            Shown::Standing(standing) => standing.into(),
            Shown::Ended { outcome, cause } => Self::Ended { cause, outcome: name(outcome) },
        }
    }
}

impl From<Standing> for ToPage {
    fn from(standing: Standing) -> Self {
        let (state, agent) = match standing {
            Standing::Listening => (PageState::Listening, None),
            Standing::Thinking => (PageState::Thinking, None),
            Standing::Speaking => (PageState::Speaking, None),
            Standing::OnHold => (PageState::Hold, None),
            Standing::Waiting => (PageState::Waiting, None),
            Standing::WithAgent(name) => (PageState::Agent, Some(name)),
        };
        Self::State { state, agent }
    }
}

fn name(outcome: Outcome) -> String {
    let value = serde_json::to_value(outcome).unwrap_or_default();
    value.as_str().unwrap_or("failed").to_owned()
}

/// The JSON Schema of the signalling, as `schemas/browser-call.v1.json` publishes it.
#[must_use]
pub fn schema() -> Value {
    let mut schema = serde_json::json!({
        "$id": "urn:cordboard:browser-call:v1",
        "title": "Signalling of a call from a browser",
        "description": "JSON texts over the WebSocket GET /v1/browser-calls; the page's first is \
                        begin or resume.",
    });
    schema["from_page"] = schemars::schema_for!(FromPage).into();
    schema["to_page"] = schemars::schema_for!(ToPage).into();
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_schema_is_the_types_own() {
        let path =
            std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/browser-call.v1.json");
        let made = serde_json::to_string_pretty(&schema()).expect("JSON") + "\n";
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &made).expect("written");
        }
        let published = std::fs::read_to_string(&path).expect("schemas/browser-call.v1.json");
        assert!(published == made, "run this test with UPDATE_SCHEMAS=1");
    }

    #[test]
    fn messages_read_and_write_as_agreed() {
        let begin = r#"{"type":"begin","token":"t","sdp":"v=0"}"#;
        let (token, sdp) = ("t".to_owned(), "v=0".to_owned());
        assert_eq!(
            serde_json::from_str::<FromPage>(begin).ok(),
            Some(FromPage::Begin { token, sdp })
        );
        assert!(serde_json::from_str::<FromPage>(r#"{"type":"key","digit":"55"}"#).is_err());
        let end: ToPage =
            Shown::Ended { outcome: Outcome::HandedOver, cause: "bye".to_owned() }.into();
        let expected = r#"{"type":"ended","cause":"bye","outcome":"handed_over"}"#;
        assert_eq!(serde_json::to_string(&end).expect("JSON"), expected);
        let talks: ToPage = Standing::WithAgent("Ada".to_owned()).into();
        let expected = r#"{"type":"state","state":"agent","agent":"Ada"}"#;
        assert_eq!(serde_json::to_string(&talks).expect("JSON"), expected);
    }
}
