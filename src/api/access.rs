//! Who may read: the bearer token, and what is asked instead of it on loopback.
//!
//! Without a token only loopback is listened on, and then a web page that the operator happens to
//! look at must not read calls by pointing its own name at 127.0.0.1 (DNS rebinding): the request's
//! Host must be an address or `localhost`.

use std::net::IpAddr;

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::Response;

use super::ApiState;
use super::fault::ApiFault;
use crate::store::{is_call_id, token_hash};
use crate::timeline::CallId;

/// Lets a request through, or refuses it.
pub(super) async fn guard(
    State(state): State<ApiState>,
    request: Request,
    next: Next,
) -> Result<Response, ApiFault> {
    check(&state, request.headers())?;
    Ok(next.run(request).await)
}

/// Checks the bearer token, or the Host where there is none.
pub(super) fn check(state: &ApiState, headers: &HeaderMap) -> Result<(), ApiFault> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(token) = &state.token else {
        let is_ours = text(header::HOST).is_none_or(is_own_host);
        return if is_ours { Ok(()) } else { Err(ApiFault::ForeignHost) };
    };
    let shown = text(header::AUTHORIZATION).and_then(|value| {
        let (scheme, shown) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| shown.trim())
    });
    match shown {
        Some(shown) if opens(shown, &token_hash(token.expose())) => Ok(()),
        _ => Err(ApiFault::Unauthorized),
    }
}

/// Whether a token has the hash; takes the same time wherever they differ.
pub(super) fn opens(token: &str, hash: &str) -> bool {
    let shown = token_hash(token);
    let differing =
        shown.bytes().zip(hash.bytes()).fold(0, |differing, (a, b)| differing | (a ^ b));
    shown.len() == hash.len() && differing == 0
}

fn is_own_host(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = without_port.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

/// The name of a call in the address; nothing but a ULID comes through.
#[derive(Debug)]
pub(super) struct CallName(pub CallId);

impl<S: Send + Sync> FromRequestParts<S> for CallName {
    type Rejection = ApiFault;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiFault> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) if is_call_id(&name) => Ok(Self(CallId(name))),
            _ => Err(ApiFault::BadCallId),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_localhost_are_this_machine_and_names_are_not() {
        let table = [
            ("127.0.0.1:8080", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("localhost:8080", true),
            ("LOCALHOST", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
        ];
        for (host, expected) in table {
            assert_eq!(is_own_host(host), expected, "{host}");
        }
    }

    #[test]
    fn a_token_opens_its_own_hash_only() {
        let hash = token_hash("right");
        assert!(opens("right", &hash));
        assert!(!opens("wrong", &hash));
        assert!(!opens("right", ""));
        assert!(!opens("", &hash));
    }
}
