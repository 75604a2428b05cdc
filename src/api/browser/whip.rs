//! WHIP (RFC 9725): a call by one POST of an offer, for clients without our page.
//!
//! The call token is the bearer token. The answer has our candidates in it; the client's may come
//! by PATCH, and so may a restart of ICE, for which a part of a description is enough. The entity
//! tag is the name of the ICE session.

use std::net::SocketAddr;

use axum::extract::rejection::StringRejection;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use tokio::sync::oneshot;

use super::origin::{self, PageOrigin};
use super::session::{BeginFault, Begun, Session, ToSession};
use super::wire::FromPage;
use super::{Browsers, NotTaken};
use crate::api::ApiState;
use crate::api::fault::ApiFault;
use crate::api::wire::ErrorBody;
use crate::clock;
use crate::leg::browser::{PeerFault, fragment};

const SDP: &str = "application/sdp";
/// A part of a description with candidates (RFC 8840).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";

/// Begins a call for an offer.
#[utoipa::path(
    post,
    path = "/v1/whip/{flow}",
    operation_id = "begin_whip",
    tag = "browser callers",
    params(("flow" = String, Path, description = "Which flow, as in `[[route]] to`.")),
    request_body(content = String, content_type = "application/sdp"),
    responses(
        (
            status = 201,
            description = "The answer; `Location` is the call, for PATCH and DELETE.",
            content_type = "application/sdp"
        ),
        (status = 400, description = "The offer cannot be taken.", body = ErrorBody),
        (status = 401, description = "The call token does not open.", body = ErrorBody),
        (status = 415, description = "The body is no SDP.", body = ErrorBody),
        (status = 503, description = "There is no room.", body = ErrorBody),
    ),
    security(("bearer" = []))
)]
pub(in super::super) async fn begin(
    State(state): State<ApiState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(flow): Path<String>,
    headers: HeaderMap,
    offer: Result<String, StringRejection>,
) -> Result<Response, ApiFault> {
    let browsers = state.browsers.ok_or(ApiFault::NoSuchAddress)?;
    if origin::of(&headers, &browsers.side().origins) == PageOrigin::Foreign {
        browsers.refused("origin");
        return Err(ApiFault::ForeignOrigin);
    }
    is_of_type(&headers, SDP)?;
    let token = bearer(&headers).ok_or(ApiFault::CallTokenUnfit)?;
    let spent = browsers.tickets().spend(token, Some(&flow), clock::monotonic());
    let flow = spent.map_err(|_| {
        browsers.refused("token");
        ApiFault::CallTokenUnfit
    })?;
    let offer = offer.map_err(|rejection| {
        browsers.refused("offer");
        ApiFault::BadOffer(rejection.body_text())
    })?;
    let begun = browsers.begin(flow, peer.ip(), &offer, None).await;
    let Begun { call, resume, answer, session } = begun.map_err(refused)?;
    let location = format!("/v1/whip-calls/{call}/{resume}");
    let mut response = (StatusCode::CREATED, answer).into_response();
    let location = HeaderValue::from_str(&location).map_err(|_| ApiFault::NoSuchCall)?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    response.headers_mut().insert(header::ETAG, tag(&session.ice().ours)?);
    Ok(response)
}

/// The entity tag of an ICE session; its name is of letters, digits, `+` and `/`.
fn tag(ours: &str) -> Result<HeaderValue, ApiFault> {
    HeaderValue::from_str(&format!("\"{ours}\"")).map_err(|_| ApiFault::NoSuchCall)
}

/// Takes further candidates of a client's, or restarts ICE.
#[utoipa::path(
    patch,
    path = "/v1/whip-calls/{call}/{secret}",
    operation_id = "change_whip",
    tag = "browser callers",
    params(
        ("call" = String, Path, description = "The call."),
        ("secret" = String, Path, description = "As in `Location`."),
    ),
    request_body(content = String, content_type = "application/trickle-ice-sdpfrag"),
    responses(
        (
            status = 200,
            description = "ICE begins anew: our part of it; `ETag` is the new session.",
            content_type = "application/trickle-ice-sdpfrag"
        ),
        (status = 204, description = "The candidates are taken."),
        (status = 400, description = "The part cannot be taken.", body = ErrorBody),
        (status = 404, description = "There is no such call.", body = ErrorBody),
        (status = 412, description = "It is meant for another ICE session.", body = ErrorBody),
        (status = 428, description = "`If-Match` is missing.", body = ErrorBody),
        (status = 415, description = "The body is no part of SDP.", body = ErrorBody),
    ),
)]
pub(in super::super) async fn change(
    State(state): State<ApiState>,
    Path((call, secret)): Path<(String, String)>,
    headers: HeaderMap,
    part: String,
) -> Result<Response, ApiFault> {
    is_of_type(&headers, FRAGMENT)?;
    let session = session(state.browsers.as_ref(), &call, &secret)?;
    let ice = session.ice();
    let shown = headers.get(header::IF_MATCH).ok_or(ApiFault::NoPrecondition)?;
    // A restart is for whatever session there is, and says so by `*` (RFC 9725 §4.3.3).
    if shown != "*" && *shown != tag(&ice.ours)? {
        return Err(ApiFault::OtherSession);
    }
    if fragment::value(&part, "ice-ufrag").is_some_and(|it| it != ice.theirs) {
        return restart(&session, part).await;
    }
    for candidate in fragment::candidates(&part) {
        let candidate = Some(json!({ "candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0 }));
        say(&session, ToSession::Said(FromPage::Candidate { candidate })).await?;
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn restart(session: &Session, part: String) -> Result<Response, ApiFault> {
    let (tell, told) = oneshot::channel();
    say(session, ToSession::Restart(part, tell)).await?;
    let restarted = told.await.map_err(|_| ApiFault::NoSuchCall)?;
    let part = restarted.map_err(|fault| ApiFault::BadOffer(fault.to_string()))?;
    let mut response = part.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(FRAGMENT));
    response.headers_mut().insert(header::ETAG, tag(&session.ice().ours)?);
    Ok(response)
}

/// Hangs up.
#[utoipa::path(
    delete,
    path = "/v1/whip-calls/{call}/{secret}",
    operation_id = "end_whip",
    tag = "browser callers",
    params(
        ("call" = String, Path, description = "The call."),
        ("secret" = String, Path, description = "As in `Location`."),
    ),
    responses(
        (status = 200, description = "The call is over."),
        (status = 404, description = "There is no such call.", body = ErrorBody),
    ),
)]
pub(in super::super) async fn end(
    State(state): State<ApiState>,
    Path((call, secret)): Path<(String, String)>,
) -> Result<StatusCode, ApiFault> {
    let session = session(state.browsers.as_ref(), &call, &secret)?;
    say(&session, ToSession::Said(FromPage::Bye)).await?;
    Ok(StatusCode::OK)
}

fn session(browsers: Option<&Browsers>, call: &str, secret: &str) -> Result<Session, ApiFault> {
    browsers.and_then(|it| it.session(call, secret)).ok_or(ApiFault::NoSuchCall)
}

async fn say(session: &Session, said: ToSession) -> Result<(), ApiFault> {
    session.to.send(said).await.map_err(|_| ApiFault::NoSuchCall)
}

fn is_of_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), ApiFault> {
    let shown = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let is_it = shown.and_then(|it| it.split(';').next()).is_some_and(|it| it.trim() == wanted);
    if is_it { Ok(()) } else { Err(ApiFault::BadType { expected: wanted }) }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, shown) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| shown.trim())
}

fn refused(fault: BeginFault) -> ApiFault {
    match fault {
        BeginFault::NotTaken(NotTaken::NoSuchFlow) => ApiFault::NoSuchFlow,
        BeginFault::NotTaken(NotTaken::NoRoom) | BeginFault::Peer(PeerFault::NoSocket(_)) => {
            ApiFault::NoRoom
        }
        BeginFault::Peer(fault) => ApiFault::BadOffer(fault.to_string()),
    }
}
