//! The company's own system, as the example flow `flows/parcel.yaml` calls it.
//!
//! Orders: 123456 is out for delivery, 222222 is delayed, 404404 is not known, 555555 is answered
//! after five seconds, 500500 with status 500. Changes of address honour `Idempotency-Key`: the
//! same key gives the same answer and changes nothing a second time. Deliberately absent: a
//! database, and anybody's real orders.
//!
//! `cargo run --example order_service -- --listen 127.0.0.1:8090`

use std::collections::HashMap;
use std::error::Error;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use serde_json::{Value, json};

/// How long the slow order takes.
const SLOW: Duration = Duration::from_secs(5);

type Answer = (StatusCode, Json<Value>);

/// What has been changed, and what was answered to which key.
#[derive(Debug, Default)]
struct Ledger {
    addresses: HashMap<String, String>,
    /// How often each order's address was really changed.
    changes: HashMap<String, u32>,
    answers: HashMap<String, (StatusCode, Value)>,
    complaints: u32,
}

type Shared = Arc<Mutex<Ledger>>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut listen = "127.0.0.1:8090".to_owned();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => listen = arguments.next().ok_or("--listen needs an address")?,
            other => return Err(format!("unknown argument {other}; known: --listen").into()),
        }
    }
    let listener = tokio::net::TcpListener::bind(&listen).await?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "listening on {}", listener.local_addr()?)?;
    stdout.flush()?;
    let router = Router::new()
        .route("/orders/{number}", get(order))
        .route("/orders/{number}/address", put(change_address))
        .route("/complaints", post(complain))
        .with_state(Shared::default());
    axum::serve(listener, router).await?;
    Ok(())
}

async fn order(State(ledger): State<Shared>, Path(number): Path<String>) -> Answer {
    let (status, expected) = match number.as_str() {
        "123456" => ("out_for_delivery", "six this evening"),
        "222222" => ("delayed", "tomorrow"),
        "555555" => {
            wait(SLOW).await;
            ("out_for_delivery", "noon tomorrow")
        }
        "500500" => {
            let error = json!({ "error": "the order system is down" });
            return (StatusCode::INTERNAL_SERVER_ERROR, Json(error));
        }
        _ => return unknown(&number),
    };
    let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let body = json!({
        "order_number": number,
        "status": status,
        "expected": expected,
        "address": ledger.addresses.get(&number),
        "address_changes": ledger.changes.get(&number).copied().unwrap_or(0),
    });
    (StatusCode::OK, Json(body))
}

async fn change_address(
    State(ledger): State<Shared>,
    Path(number): Path<String>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok()).map(str::to_owned);
    if let Some((status, answer)) = key.as_ref().and_then(|key| ledger.answers.get(key)) {
        return (*status, Json(answer.clone()));
    }
    if !matches!(number.as_str(), "123456" | "222222" | "555555") {
        return unknown(&number);
    }
    let Some(address) = body.get("address").and_then(Value::as_str) else {
        let error = json!({ "error": "`address` is missing" });
        return (StatusCode::UNPROCESSABLE_ENTITY, Json(error));
    };
    ledger.addresses.insert(number.clone(), address.to_owned());
    let changes = ledger.changes.entry(number.clone()).or_default();
    *changes += 1;
    let answer = json!({ "changed": true, "order_number": number, "change": *changes });
    if let Some(key) = key {
        ledger.answers.insert(key, (StatusCode::OK, answer.clone()));
    }
    (StatusCode::OK, Json(answer))
}

async fn complain(State(ledger): State<Shared>, Json(_complaint): Json<Value>) -> Answer {
    let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
    ledger.complaints += 1;
    (StatusCode::CREATED, Json(json!({ "complaint": ledger.complaints })))
}

fn unknown(number: &str) -> Answer {
    let error = json!({ "error": format!("no order {number}") });
    (StatusCode::NOT_FOUND, Json(error))
}

#[expect(clippy::disallowed_methods, reason = "being slow is this order's whole purpose")]
async fn wait(time: Duration) {
    tokio::time::sleep(time).await;
}
