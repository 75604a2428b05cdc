//! `POST /v1/tokens`: a token for one call, and `GET /v1/flows`: what can be called.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{ConnectInfo, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Browsers;
use super::origin::{self, PageOrigin};
use super::session::secret;
use super::wire::{IceServers, TokenGiven, TokenWanted};
use crate::api::ApiState;
use crate::api::access;
use crate::api::fault::ApiFault;
use crate::api::wire::{ErrorBody, rfc3339};
use crate::clock;

/// Gives a token for one call.
#[utoipa::path(
    post,
    path = "/v1/tokens",
    operation_id = "give_call_token",
    tag = "browser callers",
    request_body = TokenWanted,
    responses(
        (status = 201, description = "The token.", body = TokenGiven),
        (status = 400, description = "The body is not as it should be.", body = ErrorBody),
        (status = 401, description = "A token is required.", body = ErrorBody),
        (status = 403, description = "A page of another origin.", body = ErrorBody),
        (status = 404, description = "There is no such flow.", body = ErrorBody),
        (status = 429, description = "Too many; `Retry-After` says when.", body = ErrorBody),
    ),
    security((), ("bearer" = []))
)]
pub(in super::super) async fn mint(
    State(state): State<ApiState>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    headers: HeaderMap,
    wanted: Result<Json<TokenWanted>, JsonRejection>,
) -> Result<Response, ApiFault> {
    let browsers = state.browsers.clone().ok_or(ApiFault::NoSuchAddress)?;
    let page = origin::of(&headers, &browsers.side().origins);
    let given = given(&state, &browsers, (page, peer), &headers, wanted);
    let mut response = match given {
        Ok(given) => (StatusCode::CREATED, Json(given)).into_response(),
        Err(fault) => {
            match fault {
                ApiFault::ForeignOrigin => browsers.refused("origin"),
                ApiFault::TooMany { .. } => browsers.refused("rate"),
                ApiFault::Unauthorized => browsers.refused("token"),
                _ => {}
            }
            fault.into_response()
        }
    };
    allow_origin(&mut response, &headers);
    Ok(response)
}

fn given(
    state: &ApiState,
    browsers: &Browsers,
    (page, peer): (PageOrigin, SocketAddr),
    headers: &HeaderMap,
    wanted: Result<Json<TokenWanted>, JsonRejection>,
) -> Result<TokenGiven, ApiFault> {
    let side = browsers.side();
    if page == PageOrigin::Foreign {
        return Err(ApiFault::ForeignOrigin);
    }
    // A page has no `api.token` to show; a program has to.
    let is_page = side.anyone && page == PageOrigin::Known;
    if !is_page {
        access::check(state, headers)?;
    }
    let Json(TokenWanted { flow }) = wanted.map_err(|_| {
        let expected = "a JSON object, {\"flow\": \"...\"}";
        ApiFault::BadParameter { name: "the body", expected }
    })?;
    if !(side.flows)().contains(&flow) {
        return Err(ApiFault::NoSuchFlow);
    }
    let now = clock::monotonic();
    if is_page {
        let taken = browsers.rate().take(peer.ip(), now);
        taken.map_err(|after_s| ApiFault::TooMany { after_s })?;
    }
    let token = secret();
    browsers.tickets().give(&token, &flow, now);
    let opens_ms = u64::try_from(side.token_opens.as_millis()).unwrap_or(u64::MAX);
    let until = clock::wall_unix_ms().saturating_add(opens_ms);
    let ice_servers = side.ice_servers.iter().map(|server| IceServers {
        urls: server.urls.clone(),
        username: server.username.clone(),
        credential: server.credential.as_ref().map(|it| it.expose().to_owned()),
    });
    Ok(TokenGiven {
        token,
        flow,
        expires: rfc3339(i64::try_from(until).unwrap_or(i64::MAX)),
        url: socket_url(&side.base, headers),
        ice_servers: ice_servers.collect(),
    })
}

/// Where the WebSocket is: at the host that was asked, so that a page reaches it as it reached us.
fn socket_url(base: &str, headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|it| it.to_str().ok());
    let (scheme, own) = base.split_once("://").unwrap_or(("http", base));
    let scheme = if scheme == "https" { "wss" } else { "ws" };
    // Behind a proxy the public address is the right one, and where it is https it has been set.
    let host = if scheme == "wss" { own } else { host.unwrap_or(own) };
    format!("{scheme}://{}/v1/browser-calls", host.trim_end_matches('/'))
}

/// Lets a page ask (CORS preflight); a foreign one is told that it may not call.
#[utoipa::path(
    options,
    path = "/v1/tokens",
    operation_id = "may_ask_for_call_token",
    tag = "browser callers",
    responses((status = 204, description = "Which origin may ask, in the headers.")),
)]
pub(in super::super) async fn preflight(
    State(state): State<ApiState>,
    headers: HeaderMap,
) -> Result<Response, ApiFault> {
    state.browsers.ok_or(ApiFault::NoSuchAddress)?;
    let mut response = StatusCode::NO_CONTENT.into_response();
    allow_origin(&mut response, &headers);
    Ok(response)
}

/// Lets the page read the answer. To a foreign one that is its refusal alone, so that it can say in
/// words why no call is placed; no cookie or token of a browser's goes with any of it.
fn allow_origin(response: &mut Response, asked: &HeaderMap) {
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = asked.get(header::ORIGIN) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type"),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, "Retry-After"),
        (header::ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// Names the flows that a page may call.
#[utoipa::path(
    get,
    path = "/v1/flows",
    tag = "browser callers",
    responses((status = 200, description = "`{\"flows\": [...]}`.", body = Object)),
)]
pub(in super::super) async fn flows(
    State(state): State<ApiState>,
) -> Result<Json<Value>, ApiFault> {
    let browsers = state.browsers.ok_or(ApiFault::NoSuchAddress)?;
    Ok(Json(json!({ "flows": (browsers.side().flows)() })))
}
