//! `GET /v1/openapi.json`: what can be asked and what is answered, as OpenAPI 3.1.
//!
//! Made of the wire types and the handlers themselves; `schemas/openapi.json` is a copy of it.

use axum::Json;
use serde_json::Value;
use utoipa::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};

use super::wire;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cordboard",
        description = "Calls, timelines, context packets and recordings, to be read. Times are \
                       RFC 3339, UTC. Every refusal has a code, a message and a remedy."
    ),
    paths(
        super::calls::list,
        super::calls::one,
        super::calls::timeline,
        super::context::packet,
        super::recording::whole,
        super::agents,
        super::queues,
        super::media_stream::join,
        super::media_stream::answer,
        super::live::watch,
        super::browser::tokens::flows,
        super::browser::tokens::mint,
        super::browser::tokens::preflight,
        super::browser::signalling::join,
        super::browser::whip::begin,
        super::browser::whip::change,
        super::browser::whip::end,
        super::health::health,
        super::health::ready,
        super::metrics::metrics,
        document,
    ),
    components(schemas(
        wire::ErrorBody,
        wire::ErrorDetail,
        super::browser::FromPage,
        super::browser::ToPage,
    )),
    modifiers(&Bearer),
)]
struct Document;

/// How an asker shows who it is.
struct Bearer;

impl utoipa::Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", scheme);
    }
}

/// The document itself.
#[must_use]
pub fn openapi() -> Value {
    serde_json::to_value(Document::openapi()).unwrap_or_default()
}

/// Shows this document.
#[utoipa::path(
    get,
    path = "/v1/openapi.json",
    tag = "operation",
    responses((status = 200, description = "This document.", body = Object)),
)]
pub(super) async fn document() -> Json<Value> {
    Json(openapi())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_address_is_in_the_document_and_every_one_in_it_is_there() {
        let document = openapi();
        let documented: BTreeSet<&str> =
            document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
        let served = super::super::guarded().into_iter().chain(super::super::open());
        let served: BTreeSet<&str> = served.map(|(path, _)| path).collect();
        assert_eq!(documented, served);
    }

    #[test]
    fn the_document_is_well_formed() {
        let document = openapi();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1."), "{document}");
        let mut ids = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let id = operation["operationId"].as_str().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} twice");
                let answers = |status: &str| operation["responses"].get(status).is_some();
                let good = ["200", "201", "204", "101"].into_iter().any(answers);
                assert!(good, "{path}");
                let named: BTreeSet<&str> = operation["parameters"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|parameter| parameter["in"] == "path")
                    .map(|parameter| parameter["name"].as_str().unwrap())
                    .collect();
                let wanted: BTreeSet<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
                assert_eq!(named, wanted, "{path}");
            }
        }
        assert_references(&document, &document);
    }

    /// Every `$ref` leads to something.
    fn assert_references(document: &Value, within: &Value) {
        match within {
            Value::Object(object) => {
                if let Some(reference) = object.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').expect("a place in the document");
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                object.values().for_each(|inner| assert_references(document, inner));
            }
            Value::Array(list) => list.iter().for_each(|inner| assert_references(document, inner)),
            _ => {}
        }
    }

    #[test]
    fn the_published_copy_is_current() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/openapi.json");
        let published = std::fs::read_to_string(path).unwrap_or_default();
        let current = format!("{:#}\n", openapi());
        assert!(published == current, "write it anew: cordboard openapi > schemas/openapi.json");
    }
}
