//! The web pages, built by `make web` into `web/dist` and carried in the binary: the caller's page,
//! the element for other sites, and the engineer's pages of calls.
//!
//! Pages run nothing but their own files (Content-Security-Policy without inline script or style).
//! Files with a hash in their name are kept by browsers for good; all others are asked for again
//! and answered by their hash (ETag).

use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use rust_embed::{EmbeddedFile, RustEmbed};

use super::ApiState;
use super::fault::ApiFault;

/// What pages may do.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data:; media-src 'self' blob:; connect-src 'self' ws: wss:; font-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The microphone is ours alone to ask for, and nothing else.
const PERMISSIONS: &str = "microphone=(self), camera=(), geolocation=(), display-capture=()";
/// The element that other sites load.
const ELEMENT: &str = "cordboard-call.js";
/// Where files with a hash in their name are.
const HASHED: &str = "assets/";

#[derive(RustEmbed)]
#[folder = "web/dist/"]
#[allow_missing = true]
struct Files;

/// The addresses of pages and their files.
pub(super) fn pages() -> Vec<(&'static str, MethodRouter<ApiState>)> {
    vec![
        ("/", get(caller)),
        ("/calls", get(calls)),
        ("/calls/{id}", get(calls)),
        ("/cordboard-call.js", get(element)),
        ("/assets/{*path}", get(asset)),
    ]
}

/// The caller's page.
async fn caller(State(state): State<ApiState>, headers: HeaderMap) -> Response {
    match state.browsers {
        Some(_) => file("index.html", &headers),
        None => ApiFault::NoSuchAddress.into_response(),
    }
}

/// The pages of calls; what they show, they ask for.
async fn calls(headers: HeaderMap) -> Response {
    file("calls.html", &headers)
}

/// The element, for pages of any origin: which of them may call is for their token to say.
async fn element(headers: HeaderMap) -> Response {
    let mut response = file(ELEMENT, &headers);
    for (name, value) in [
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "cross-origin"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    file(&format!("{HASHED}{path}"), &headers)
}

fn file(name: &str, asked: &HeaderMap) -> Response {
    let Some(file) = Files::get(name) else {
        let why = if Files::get("index.html").is_none() {
            "The web pages are not in this build: run make web, and build again.\n"
        } else {
            "There is no such file.\n"
        };
        return (StatusCode::NOT_FOUND, why).into_response();
    };
    let tag = tag(&file);
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|it| it.as_bytes() == tag.as_bytes());
    let mut response = match known {
        true => StatusCode::NOT_MODIFIED.into_response(),
        false => file.data.into_response(),
    };
    let caching = match name.starts_with(HASHED) {
        true => "public, max-age=31536000, immutable",
        false => "no-cache",
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind(name)),
        (header::CACHE_CONTROL, caching),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::HeaderName::from_static("permissions-policy"), PERMISSIONS),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// The hash of a file, as an entity tag.
fn tag(file: &EmbeddedFile) -> String {
    use std::fmt::Write as _;
    let hash = file.metadata.sha256_hash();
    let mut tag = String::from("\"");
    for byte in &hash[..16] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag + "\""
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}
