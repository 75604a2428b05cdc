//! Which pages may call: those of our own origin, and those that the settings name.

use axum::http::{HeaderMap, HeaderValue, header};

/// What a request says of the page that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageOrigin {
    /// No page: a program.
    None,
    /// A page of ours, or of an origin that is allowed.
    Known,
    /// Another page.
    Foreign,
}

/// Looks at the Origin header (RFC 6454 §7). Browsers send it with every WebSocket and every POST.
pub(super) fn of(headers: &HeaderMap, allowed: &[String]) -> PageOrigin {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if !headers.contains_key(header::ORIGIN) {
        return PageOrigin::None;
    }
    let Some(origin) = text(header::ORIGIN) else { return PageOrigin::Foreign };
    let host = origin.split_once("://").map(|(_, host)| host);
    let is_ours = host.zip(text(header::HOST)).is_some_and(|(a, b)| a.eq_ignore_ascii_case(b));
    let is_named = allowed.iter().any(|it| it.trim_end_matches('/').eq_ignore_ascii_case(origin));
    if is_ours || is_named { PageOrigin::Known } else { PageOrigin::Foreign }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_origin_and_those_named_are_known() {
        let allowed = ["https://shop.example".to_owned()];
        let table = [
            (None, PageOrigin::None),
            (Some("http://127.0.0.1:8080"), PageOrigin::Known),
            (Some("https://shop.example"), PageOrigin::Known),
            (Some("https://SHOP.example"), PageOrigin::Known),
            (Some("https://shop.example.evil.test"), PageOrigin::Foreign),
            (Some("http://127.0.0.1:8081"), PageOrigin::Foreign),
            (Some("null"), PageOrigin::Foreign),
            (Some(""), PageOrigin::Foreign),
        ];
        for (origin, expected) in table {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8080"));
            if let Some(origin) = origin {
                headers.insert(header::ORIGIN, HeaderValue::from_str(origin).expect("a header"));
            }
            assert_eq!(of(&headers, &allowed), expected, "{origin:?}");
        }
    }
}
