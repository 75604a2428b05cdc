//! `GET /v1/browser-calls`: the WebSocket of a caller's page.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, State};
use axum::http::HeaderMap;
use axum::response::Response;
use tokio::sync::mpsc;

use super::origin::{self, PageOrigin};
use super::session::{BeginFault, Begun, Session, ToSession, malformed};
use super::tickets::TicketFault;
use super::wire::{FromPage, ToPage};
use super::{Browsers, NotTaken};
use crate::api::ApiState;
use crate::api::fault::ApiFault;
use crate::api::wire::ErrorBody;
use crate::clock;
use crate::leg::browser::PeerFault;

/// The longest message: an offer, and what is around it.
const MESSAGE_BYTES_MAX: usize = 65_536;
/// How long a connection may take until its first message.
const FIRST_WITHIN: Duration = Duration::from_secs(10);
/// How long a message of ours may take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);
/// Messages that wait for the page.
const TO_PAGE: usize = 256;
/// Close code of a connection that was refused.
const REFUSED: u16 = 4_000;

/// Takes a page's WebSocket.
#[utoipa::path(
    get,
    path = "/v1/browser-calls",
    operation_id = "join_browser_call",
    tag = "browser callers",
    responses(
        (
            status = 101,
            description = "The WebSocket; its messages are schemas/browser-call.v1.json."
        ),
        (status = 403, description = "A page of another origin.", body = ErrorBody),
        (status = 404, description = "Browsers are off.", body = ErrorBody),
        (status = 503, description = "Too many have not begun yet.", body = ErrorBody),
    ),
)]
pub(in super::super) async fn join(
    State(state): State<ApiState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiFault> {
    let browsers = state.browsers.ok_or(ApiFault::NoSuchAddress)?;
    if origin::of(&headers, &browsers.side().origins) == PageOrigin::Foreign {
        browsers.refused("origin");
        return Err(ApiFault::ForeignOrigin);
    }
    let Ok(stranger) = browsers.0.strangers.clone().try_acquire_owned() else {
        return Err(ApiFault::NoRoom);
    };
    let upgrade = upgrade.max_message_size(MESSAGE_BYTES_MAX).max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(async move |mut socket| {
        let first = tokio::time::timeout(FIRST_WITHIN, read(&mut socket)).await;
        let (page, leaving) = mpsc::channel(TO_PAGE);
        let attached = match first {
            Ok(Some(Ok(first))) => attach(&browsers, peer.ip(), first, page).await,
            Ok(Some(Err(why))) => {
                browsers.refused("message");
                Err(malformed(&why))
            }
            Ok(None) => return,
            Err(_) => Err(malformed("no first message came within 10 s")),
        };
        drop(stranger);
        match attached {
            Ok(session) => carry(&browsers, socket, &session, leaving).await,
            Err(refusal) => close(&mut socket, Some(refusal)).await,
        }
    }))
}

/// Begins a call, or takes one up again.
async fn attach(
    browsers: &Browsers,
    from: IpAddr,
    first: FromPage,
    page: mpsc::Sender<ToPage>,
) -> Result<Session, ToPage> {
    match first {
        FromPage::Begin { token, sdp } => {
            let spent = browsers.tickets().spend(&token, None, clock::monotonic());
            let flow = spent.map_err(|fault| {
                browsers.refused("token");
                no_ticket(fault)
            })?;
            let begun = browsers.begin(flow, from, &sdp, Some(page.clone())).await;
            let Begun { call, session, resume, answer } = begun.map_err(|fault| refusal(&fault))?;
            let answer = ToPage::Answer { call: call.0, resume, sdp: answer };
            // The room is its first message's.
            let _ = page.try_send(answer);
            Ok(session)
        }
        FromPage::Resume { call, resume, sdp } => {
            let gone = || error("no_such_call", "the call is over", "call again");
            let session = browsers.session(&call, &resume).ok_or_else(gone)?;
            let back = session.to.send(ToSession::Back(page, sdp)).await;
            back.map_err(|_| gone())?;
            Ok(session)
        }
        _ => {
            browsers.refused("message");
            Err(malformed("the first message is begin or resume"))
        }
    }
}

/// Carries messages until either side ends it.
async fn carry(
    browsers: &Browsers,
    mut socket: WebSocket,
    session: &Session,
    mut leaving: mpsc::Receiver<ToPage>,
) {
    loop {
        tokio::select! {
            message = read(&mut socket) => match message {
                Some(Ok(said)) => {
                    if session.to.send(ToSession::Said(said)).await.is_err() {
                        break;
                    }
                }
                Some(Err(why)) => {
                    browsers.refused("message");
                    close(&mut socket, Some(malformed(&why))).await;
                    return;
                }
                // The page may come back.
                None => return,
            },
            message = leaving.recv() => match message {
                Some(refusal @ ToPage::Error { .. }) => {
                    close(&mut socket, Some(refusal)).await;
                    return;
                }
                Some(message) => {
                    if !write(&mut socket, &message).await {
                        return;
                    }
                }
                None => break,
            },
        }
    }
    close(&mut socket, None).await;
}

/// The next message; none where the page went away.
async fn read(socket: &mut WebSocket) -> Option<Result<FromPage, String>> {
    loop {
        let message = match socket.recv().await? {
            Ok(message) => message,
            // The page is there, but what it says is not read.
            Err(error) if error.to_string().contains("too long") => {
                return Some(Err("a message has 65,536 bytes at most".to_owned()));
            }
            Err(_) => return None,
        };
        return match message {
            Message::Text(text) => {
                Some(serde_json::from_str(&text).map_err(|error| error.to_string()))
            }
            Message::Binary(_) => Some(Err("messages are JSON texts".to_owned())),
            Message::Close(_) => None,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
    }
}

/// Sends a message; whether it left.
async fn write(socket: &mut WebSocket, message: &ToPage) -> bool {
    let Ok(text) = serde_json::to_string(message) else { return false };
    let sending = socket.send(Message::Text(text.into()));
    matches!(tokio::time::timeout(WRITTEN_WITHIN, sending).await, Ok(Ok(())))
}

async fn close(socket: &mut WebSocket, refusal: Option<ToPage>) {
    let mut code = 1_000;
    if let Some(refusal) = refusal {
        code = REFUSED;
        write(socket, &refusal).await;
    }
    let closing = socket.send(Message::Close(Some(CloseFrame { code, reason: "".into() })));
    drop(tokio::time::timeout(WRITTEN_WITHIN, closing).await);
}

fn error(code: &str, message: &str, remedy: &str) -> ToPage {
    let [code, message, remedy] = [code, message, remedy].map(str::to_owned);
    ToPage::Error { code, message, remedy }
}

fn no_ticket(fault: TicketFault) -> ToPage {
    let again = "get another by POST /v1/tokens";
    match fault {
        TicketFault::Unknown => error("token_unknown", "the call token is not known here", again),
        TicketFault::Expired => error("token_expired", "the call token is too old", again),
        TicketFault::Spent => error("token_spent", "the call token has opened a call", again),
        TicketFault::WrongFlow => error("wrong_flow", "the token is for another flow", again),
    }
}

fn refusal(fault: &BeginFault) -> ToPage {
    let later = "try again in a moment";
    match fault {
        BeginFault::Peer(PeerFault::NoSocket(_)) | BeginFault::NotTaken(NotTaken::NoRoom) => {
            error("no_room", "all lines are taken", later)
        }
        BeginFault::NotTaken(NotTaken::NoSuchFlow) => {
            error("wrong_flow", "nobody answers there any more", "name a flow of [[route]]")
        }
        BeginFault::Peer(fault) => malformed(&fault.to_string()),
    }
}
