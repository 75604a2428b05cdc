//! Carriers' media streams: a call over a WebSocket, in the wire form of Twilio's Media Streams.
//!
//! `GET /v1/media-streams/{route}` is the WebSocket, `POST …/answer` the document that sends a
//! carrier there. Who connects shows `media_streams.token`, by an Authorization header or as the
//! custom parameter `token` of the start: addresses are logged on their way. Where the settings
//! have a key, every request must be signed with it as well (`signature`). A connection that breaks
//! the form is closed with a reason, and its call ends; others are not touched.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;

use super::ApiState;
use super::access::opens;
use super::fault::ApiFault;
use super::media_words::{self, Start, StreamFault, Told};
use super::signature;
use super::wire::ErrorBody;
use crate::call::EndCause;
use crate::leg::{CarrierEnd, ToCarrier, Word};
use crate::settings::Token;
use crate::store::token_hash;

/// The longest message; 20 ms of sound take 300 bytes.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// How long a connection may take until its start.
const START_WITHIN: Duration = Duration::from_secs(10);
/// How long a message of ours may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// How long a carrier may play on after we have hung up, and the mark that tells that it has.
const PLAYED_WITHIN: Duration = Duration::from_secs(2);
const LAST_MARK: &str = "last";
/// Connections that have not started.
const STRANGERS_MAX: usize = 64;

/// A stream that wants to be a call.
#[derive(Clone, Debug)]
pub(crate) struct StreamCall {
    /// Which flow.
    pub(crate) route: String,
    /// Who calls, as far as is known.
    pub(crate) from: String,
    /// Who was called.
    pub(crate) to: String,
}

/// Is told why a stream is over.
pub(crate) type Closed = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Seats a call.
pub(crate) type Seating = Arc<dyn Fn(StreamCall) -> Result<CarrierEnd, StreamFault> + Send + Sync>;

/// What the HTTP side knows of media streams.
#[derive(Clone)]
pub struct MediaStreams {
    token: Token,
    signing_key: Option<Token>,
    /// How others reach us, as a WebSocket and else.
    url: String,
    base: String,
    seat: Seating,
    strangers: Arc<Semaphore>,
    closed: Closed,
}

impl std::fmt::Debug for MediaStreams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaStreams").field("url", &self.url).finish_non_exhaustive()
    }
}

impl MediaStreams {
    /// Takes streams of those who show the token, and sign with the key where there is one.
    /// `link_base` is how others reach us. Each stream that is over is told to `closed`, by one of
    /// [`STREAM_ENDS`].
    pub(crate) fn new(
        token: Token,
        signing_key: Option<Token>,
        link_base: &str,
        seat: Seating,
        closed: Closed,
    ) -> Self {
        let url = match link_base.strip_prefix("https://") {
            Some(rest) => format!("wss://{rest}"),
            None => format!("ws://{}", link_base.trim_start_matches("http://")),
        };
        let (base, strangers) = (link_base.to_owned(), Arc::new(Semaphore::new(STRANGERS_MAX)));
        Self { token, signing_key, url, base, seat, strangers, closed }
    }

    /// Whether a request of ours under `base` is signed as it has to be.
    fn is_signed(&self, headers: &HeaderMap, base: &str, uri: &Uri, form: &str) -> bool {
        let Some(key) = &self.signing_key else { return true };
        let shown = headers.get(signature::HEADER).and_then(|it| it.to_str().ok());
        let path = uri.path_and_query().map_or("", |it| it.as_str());
        let url = format!("{base}{path}");
        // Of a WebSocket's address, some carriers sign the form that ends in a slash.
        let urls = [url.clone(), format!("{url}/")];
        let good = |url: &String, shown| signature::is_good(key.expose(), url, form, shown);
        shown.is_some_and(|shown| urls.iter().any(|url| good(url, shown)))
    }

    fn admits(&self, shown: &str) -> bool {
        opens(shown, &token_hash(self.token.expose()))
    }

    /// Whether the Authorization header has the token: as a bearer's, or as a password.
    fn is_shown_by(&self, headers: &HeaderMap) -> bool {
        let value = headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let Some((scheme, shown)) = value.and_then(|it| it.split_once(' ')) else { return false };
        if scheme.eq_ignore_ascii_case("bearer") {
            return self.admits(shown.trim());
        }
        let decoded = STANDARD.decode(shown.trim()).ok().and_then(|it| String::from_utf8(it).ok());
        let password = decoded.as_deref().and_then(|it| it.split_once(':')).map(|it| it.1);
        scheme.eq_ignore_ascii_case("basic") && password.is_some_and(|it| self.admits(it))
    }
}

/// Why streams are over: the carrier's end or ours, a connection that broke, or a fault in what the
/// carrier sent, before a call began or in it.
pub(crate) const STREAM_ENDS: &[&str] = &["carrier", "ours", "lost", "refused", "fault"];

/// Takes a carrier's stream.
#[utoipa::path(
    get,
    path = "/v1/media-streams/{route}",
    tag = "media streams",
    params(("route" = String, Path, description = "Whom the caller rang, as in `[[route]]`.")),
    responses(
        (status = 101, description = "The WebSocket: a media stream in Twilio's form."),
        (status = 401, description = "A signature is required.", body = ErrorBody),
        (status = 404, description = "Streams are off, or nobody answers there.", body = ErrorBody),
        (status = 503, description = "Too many streams have not begun yet.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
pub(super) async fn join(
    State(state): State<ApiState>,
    Path(route): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiFault> {
    let streams = state.streams.ok_or(ApiFault::NoSuchAddress)?;
    if !streams.is_signed(&headers, &streams.url, &uri, "") {
        return Err(ApiFault::Unauthorized);
    }
    let Ok(stranger) = streams.strangers.clone().try_acquire_owned() else {
        return Err(ApiFault::NoRoom);
    };
    let is_known = streams.is_shown_by(&headers);
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let started = tokio::time::timeout(START_WITHIN, start(&mut socket)).await;
        drop(stranger);
        let seated = match started {
            Ok(Ok(None)) => return,
            Ok(Ok(Some(start))) => seat(&streams, route, start, is_known),
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(StreamFault::NoStart),
        };
        match seated {
            Ok((end, sid)) => {
                let why = carry(socket, end, &sid).await;
                (streams.closed)(why);
            }
            Err(fault) => {
                (streams.closed)("refused");
                close(&mut socket, Some(fault)).await;
            }
        }
    }))
}

/// Reads until the start; nothing where the carrier went away.
async fn start(socket: &mut WebSocket) -> Result<Option<Start>, StreamFault> {
    loop {
        let Some(Ok(message)) = socket.recv().await else { return Ok(None) };
        let Some(told) = told(&message)? else { continue };
        match told.event.as_str() {
            "connected" => {}
            "start" => return told.start.ok_or(StreamFault::Malformed).map(Some),
            "stop" => return Ok(None),
            _ => return Err(StreamFault::BeforeStart),
        }
    }
}

fn seat(
    streams: &MediaStreams,
    route: String,
    start: Start,
    is_known: bool,
) -> Result<(CarrierEnd, String), StreamFault> {
    let parameter = |name: &str| start.custom_parameters.get(name).cloned();
    if !is_known && !parameter("token").is_some_and(|shown| streams.admits(&shown)) {
        return Err(StreamFault::Unauthorized);
    }
    if !start.media_format.is_pcmu() {
        return Err(StreamFault::Format);
    }
    let from = parameter("from").unwrap_or_else(|| format!("stream:{}", start.call_sid));
    let to = parameter("to").unwrap_or_else(|| route.clone());
    let end = (streams.seat)(StreamCall { route, from, to })?;
    Ok((end, start.stream_sid))
}

/// Carries a call until either side ends it; gives why it is over.
async fn carry(mut socket: WebSocket, mut end: CarrierEnd, sid: &str) -> &'static str {
    let over = end.over.clone();
    let mut why = "ours";
    loop {
        tokio::select! {
            () = over.cancelled() => break,
            message = socket.recv() => {
                let cause = match message {
                    Some(Ok(message)) => match hear(&mut end, &message) {
                        Ok(None) => continue,
                        Ok(Some(cause)) => cause,
                        Err(fault) => {
                            tell_end(&end, EndCause::Lost);
                            close(&mut socket, Some(fault)).await;
                            return "fault";
                        }
                    },
                    Some(Err(_)) | None => EndCause::Lost,
                };
                tell_end(&end, cause);
                why = if cause == EndCause::Bye { "carrier" } else { "lost" };
                break;
            }
            word = end.leaving.recv() => {
                let Some(word) = word else { break };
                if !write(&mut socket, &end, word, sid).await {
                    tell_end(&end, EndCause::Lost);
                    return "lost";
                }
            }
        }
    }
    let is_ours = over.is_cancelled();
    // The last of what was said is still to leave.
    while let Ok(word) = end.leaving.try_recv() {
        if !write(&mut socket, &end, word, sid).await {
            return why;
        }
    }
    if is_ours {
        drop(tokio::time::timeout(PLAYED_WITHIN, played(&mut socket, sid)).await);
    }
    close(&mut socket, None).await;
    why
}

/// Waits until the carrier has played everything: a close cuts what it holds.
async fn played(socket: &mut WebSocket, sid: &str) {
    let mark = json!({ "event": "mark", "streamSid": sid, "mark": { "name": LAST_MARK } });
    if socket.send(Message::Text(mark.to_string().into())).await.is_err() {
        return;
    }
    while let Some(Ok(message)) = socket.recv().await {
        match told(&message) {
            Ok(Some(Told { mark: Some(mark), .. })) if mark.name == LAST_MARK => return,
            Ok(Some(told)) if told.event == "stop" => return,
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// Where even this finds no room, the call ends for want of sound.
fn tell_end(end: &CarrierEnd, cause: EndCause) {
    end.tell(Word::Ended(cause));
}

/// Takes a message; the cause where it ends the stream.
fn hear(end: &mut CarrierEnd, message: &Message) -> Result<Option<EndCause>, StreamFault> {
    if matches!(message, Message::Close(_)) {
        return Ok(Some(EndCause::Bye));
    }
    told(message)?.map_or(Ok(None), |told| media_words::hear(end, told))
}

/// Reads a message; nothing of those that are the WebSocket's own.
fn told(message: &Message) -> Result<Option<Told>, StreamFault> {
    match message {
        Message::Text(text) => media_words::told(text).map(Some),
        Message::Binary(_) => Err(StreamFault::Malformed),
        Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(None),
    }
}

/// Sends a message; whether it left.
async fn write(socket: &mut WebSocket, end: &CarrierEnd, word: ToCarrier, sid: &str) -> bool {
    let message = match word {
        ToCarrier::Sound { clears, .. } if end.is_stale(clears) => return true,
        ToCarrier::Sound { payload, .. } => json!({
            "event": "media", "streamSid": sid,
            "media": { "payload": STANDARD.encode(payload) },
        }),
        ToCarrier::Mark(number) => json!({
            "event": "mark", "streamSid": sid, "mark": { "name": number.to_string() },
        }),
        ToCarrier::Clear => json!({ "event": "clear", "streamSid": sid }),
    };
    let sending = socket.send(Message::Text(message.to_string().into()));
    matches!(tokio::time::timeout(WRITTEN_WITHIN, sending).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, fault: Option<StreamFault>) {
    let reason = fault.map_or_else(String::new, |fault| fault.to_string());
    if let Some(fault) = fault {
        tracing::info!(why = %fault, "a media stream was closed");
    }
    let code = fault.map_or(1_000, StreamFault::code);
    let frame = CloseFrame { code, reason: Utf8Bytes::from(reason) };
    let closing = socket.send(Message::Close(Some(frame)));
    drop(tokio::time::timeout(WRITTEN_WITHIN, closing).await);
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Ringing {
    from: String,
    to: String,
}

/// Tells a carrier that asks what to do with a call to bring it here.
#[utoipa::path(
    post,
    path = "/v1/media-streams/{route}/answer",
    tag = "media streams",
    params(("route" = String, Path, description = "Whom the caller rang, as in `[[route]]`.")),
    responses(
        (status = 200, description = "TwiML, with the token in it.", content_type = "text/xml"),
        (status = 401, description = "A token is required.", body = ErrorBody),
        (status = 404, description = "Streams are off.", body = ErrorBody),
    ),
    security(("bearer" = []))
)]
pub(super) async fn answer(
    State(state): State<ApiState>,
    Path(route): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: String,
) -> Result<Response, ApiFault> {
    let streams = state.streams.ok_or(ApiFault::NoSuchAddress)?;
    let is_signed = streams.is_signed(&headers, &streams.base, &uri, &body);
    if !is_signed || !streams.is_shown_by(&headers) {
        return Err(ApiFault::Unauthorized);
    }
    // A form is written as the query of an address is.
    let query = format!("/?{body}").parse::<Uri>().ok();
    let ringing = query.and_then(|uri| Query::<Ringing>::try_from_uri(&uri).ok());
    let Ringing { from, to } = ringing.map(|it| it.0).unwrap_or_default();
    let url = escaped(&format!("{}/v1/media-streams/{route}", streams.url));
    let mut parameters = String::new();
    for (name, value) in [("token", streams.token.expose()), ("from", &from), ("to", &to)] {
        if !value.is_empty() {
            let value = escaped(value);
            let _ = write!(parameters, "<Parameter name=\"{name}\" value=\"{value}\"/>");
        }
    }
    let document = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Response><Connect>\
         <Stream url=\"{url}\">{parameters}</Stream></Connect></Response>"
    );
    Ok(([(header::CONTENT_TYPE, "text/xml")], document).into_response())
}

/// As an attribute of XML.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            sign if sign.is_control() => {}
            sign => out.push(sign),
        }
    }
    out
}
