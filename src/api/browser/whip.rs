//! WHIP (RFC 9725): a call by one POST of an offer, for clients without our page.
//!
//! The call token is the bearer token. The answer has our candidates in it; the client's may come
//! by PATCH. A restart of ICE is offered by the page's WebSocket alone.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::origin::{self, PageOrigin};
use super::session::{BeginFault, Begun, ToSession};
use super::wire::FromPage;
use super::{Browsers, NotTaken};
use crate::api::ApiState;
use crate::api::fault::ApiFault;
use crate::api::wire::ErrorBody;
use crate::clock;
use crate::leg::browser::PeerFault;

const SDP: &str = "application/sdp";
/// A part of a description with candidates (RFC 8840).
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
/// Candidates taken of one PATCH.
const CANDIDATES_MAX: usize = 32;

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
    offer: String,
) -> Result<Response, ApiFault> {
    let browsers = state.browsers.ok_or(ApiFault::NoSuchAddress)?;
    if origin::of(&headers, &browsers.side().origins) == PageOrigin::Foreign {
        return Err(ApiFault::ForeignOrigin);
    }
    is_of_type(&headers, SDP)?;
    let token = bearer(&headers).ok_or(ApiFault::CallTokenUnfit)?;
    let spent = browsers.tickets().spend(token, Some(&flow), clock::monotonic());
    let flow = spent.map_err(|_| ApiFault::CallTokenUnfit)?;
    let begun = browsers.begin(flow, peer.ip(), &offer, None).await;
    let Begun { call, resume, answer, .. } = begun.map_err(refused)?;
    let location = format!("/v1/whip-calls/{call}/{resume}");
    let mut response = (StatusCode::CREATED, answer).into_response();
    let location = HeaderValue::from_str(&location).map_err(|_| ApiFault::NoSuchCall)?;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(SDP));
    Ok(response)
}

/// Takes further candidates of a client's.
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
        (status = 204, description = "Taken."),
        (status = 404, description = "There is no such call.", body = ErrorBody),
        (status = 415, description = "The body is no part of SDP.", body = ErrorBody),
    ),
)]
pub(in super::super) async fn change(
    State(state): State<ApiState>,
    Path((call, secret)): Path<(String, String)>,
    headers: HeaderMap,
    fragment: String,
) -> Result<StatusCode, ApiFault> {
    is_of_type(&headers, FRAGMENT)?;
    let candidates = fragment.lines().filter_map(|line| line.strip_prefix("a="));
    let candidates = candidates.filter(|line| line.starts_with("candidate:"));
    for candidate in candidates.take(CANDIDATES_MAX) {
        let candidate = Some(json!({ "candidate": candidate, "sdpMid": "0", "sdpMLineIndex": 0 }));
        tell(state.browsers.as_ref(), &call, &secret, FromPage::Candidate { candidate }).await?;
    }
    Ok(StatusCode::NO_CONTENT)
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
    tell(state.browsers.as_ref(), &call, &secret, FromPage::Bye).await?;
    Ok(StatusCode::OK)
}

async fn tell(
    browsers: Option<&Browsers>,
    call: &str,
    secret: &str,
    said: FromPage,
) -> Result<(), ApiFault> {
    let session = browsers.and_then(|browsers| browsers.session(call, secret));
    let session = session.ok_or(ApiFault::NoSuchCall)?;
    session.to.send(ToSession::Said(said)).await.map_err(|_| ApiFault::NoSuchCall)
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
