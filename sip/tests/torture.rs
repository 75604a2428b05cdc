//! Every message of RFC 4475, RFC 5118 and the NIST collection in `../shared/data`, when there,
//! sent at an endpoint: which answer comes, and that it still answers after each.

mod support;

use std::path::{Path, PathBuf};
use std::time::Duration;

use cordboard_sip::endpoint::{Endpoint, T1};
use support::{Phone, endpoint, field};

/// What a call is refused with here: the INVITE was understood.
const TAKEN: u16 = 486;
/// No answer.
const SILENCE: u16 = 0;

/// Messages of RFC 4475 and what answers each may have. We are no registrar: a REGISTER that is
/// sound is 405 where the RFC speaks of one that registers or asks for credentials.
const RFC4475: [(&str, &[u16]); 50] = [
    // A tag that we never gave: well-formed, and of no dialog.
    ("wsinv.dat", &[481]),
    ("intmeth.dat", &[405, 501]),
    ("esc01.dat", &[TAKEN]),
    ("escnull.dat", &[405]),
    ("esc02.dat", &[405, 501]),
    ("lwsdisp.dat", &[200]),
    ("longreq.dat", &[TAKEN]),
    ("dblreq.dat", &[405]),
    ("semiuri.dat", &[200]),
    ("transports.dat", &[200]),
    ("mpart01.dat", &[405]),
    ("unreason.dat", &[SILENCE]),
    ("noreason.dat", &[SILENCE]),
    ("badinv01.dat", &[400]),
    ("clerr.dat", &[400, SILENCE]),
    ("ncl.dat", &[400]),
    ("scalar02.dat", &[400]),
    ("scalarlg.dat", &[SILENCE]),
    ("quotbal.dat", &[400, TAKEN]),
    ("ltgtruri.dat", &[400, TAKEN]),
    ("lwsruri.dat", &[400]),
    ("lwsstart.dat", &[400, TAKEN]),
    ("trws.dat", &[400, 200]),
    ("escruri.dat", &[400, TAKEN]),
    ("baddate.dat", &[400, TAKEN]),
    ("regbadct.dat", &[400, 405]),
    ("badaspec.dat", &[400, 200]),
    ("baddn.dat", &[400, 200]),
    ("badvers.dat", &[505]),
    ("mismatch01.dat", &[400]),
    ("mismatch02.dat", &[400, 501]),
    ("bigcode.dat", &[SILENCE]),
    ("badbranch.dat", &[200, 400]),
    ("insuf.dat", &[400]),
    ("unkscm.dat", &[416]),
    ("novelsc.dat", &[416]),
    ("unksm2.dat", &[400, 405, 416]),
    ("bext01.dat", &[420]),
    ("invut.dat", &[415]),
    ("regaut01.dat", &[405]),
    ("multi01.dat", &[400]),
    ("mcl01.dat", &[400]),
    ("bcast.dat", &[SILENCE]),
    ("zeromf.dat", &[200]),
    ("cparam01.dat", &[405]),
    ("cparam02.dat", &[405]),
    ("regescrt.dat", &[405]),
    ("sdp01.dat", &[406]),
    ("inv2543.dat", &[TAKEN]),
    // Not of the RFC; in its archive.
    ("test.dat", &[SILENCE]),
];

/// Messages of RFC 5118 and the answers that follow from its text.
const RFC5118: [(&str, &[u16]); 8] = [
    ("ipv4-mapped-ipv6", &[TAKEN]),
    ("ipv6-bad", &[400]),
    ("ipv6-correct-abnf-2-colons", &[200]),
    ("mult-ip-in-header", &[481]),
    ("port-ambiguous", &[405]),
    ("port-unambiguous", &[405]),
    ("via-received-param-no-delim", &[200]),
    ("via-received-param-with-delim", &[481]),
];

fn folder(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("data/sip/sip-torture").join(name);
    if !folder.is_dir() {
        eprintln!("passed over: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

/// An endpoint that refuses every call.
async fn busy() -> Endpoint {
    let (endpoint, mut calls) = endpoint(T1).await;
    tokio::spawn(async move {
        while let Some(call) = calls.recv().await {
            call.leg.line.refuse(TAKEN, None);
        }
    });
    endpoint
}

/// Sends a message, then asks whether anybody is there; gives the final answer to the message.
async fn answer_to(endpoint: &Endpoint, message: &[u8], expects_one: bool) -> Option<String> {
    let phone = Phone::new(endpoint).await;
    phone.socket.send_to(message, phone.peer).await.expect("loopback sends");
    phone.send(&phone.request("OPTIONS", "alive", 1, "", "")).await;
    let mut answer = None;
    let mut is_alive = false;
    while !is_alive || (expects_one && answer.is_none()) {
        let patience = if is_alive { Duration::from_secs(10) } else { support::PATIENCE };
        let Ok(received) = tokio::time::timeout(patience, phone.receive()).await else { break };
        match field(&received, "Call-ID") {
            Some("alive") => is_alive = true,
            _ if received.starts_with("SIP/2.0 1") => {}
            _ => answer = Some(received),
        }
    }
    assert!(is_alive, "no answer to OPTIONS after {}", String::from_utf8_lossy(message));
    answer
}

/// Those of RFC 5118 are as printed: with the ends of lines of a text file, and none at the end.
fn as_sent(message: Vec<u8>) -> Vec<u8> {
    let text = String::from_utf8_lossy(&message);
    if text.contains("\r\n") || !text.contains('\n') {
        return message;
    }
    let text = text.replace('\n', "\r\n");
    let end = if text.contains("\r\n\r\n") { "" } else { "\r\n" };
    (text + end).into()
}

fn code(answer: Option<&str>) -> u16 {
    answer.map_or(SILENCE, |it| it[8..11].parse().expect("a status"))
}

async fn table(name: &str, expectations: &[(&str, &[u16])]) {
    let Some(folder) = folder(name) else { return };
    let endpoint = busy().await;
    let mut wrong = Vec::new();
    eprintln!("{:32} {:>16} {:>5}  ok", name, "expected", "got");
    for (file, expected) in expectations {
        let Ok(message) = std::fs::read(folder.join(file)) else { continue };
        let message = as_sent(message);
        let answer = answer_to(&endpoint, &message, !expected.contains(&SILENCE)).await;
        let got = code(answer.as_deref());
        let ok = expected.contains(&got);
        eprintln!("{file:32} {:>16} {got:>5}  {}", format!("{expected:?}"), u8::from(ok));
        let answer = answer.unwrap_or_default();
        match got {
            420 => assert!(field(&answer, "Unsupported").is_some(), "{answer}"),
            415 | 406 => assert!(field(&answer, "Accept").is_some(), "{answer}"),
            _ => {}
        }
        if !ok {
            wrong.push(format!("{file}: {got}, not {expected:?}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn the_torture_of_rfc_4475_is_answered_as_the_rfc_says() {
    table("rfc4475", &RFC4475).await;
}

#[tokio::test]
async fn the_torture_of_rfc_5118_is_answered_as_the_rfc_says() {
    table("rfc5118", &RFC5118).await;
}

#[tokio::test]
async fn what_the_nist_parser_refuses_begins_no_call() {
    let Some(folder) = folder("nist-jsip") else { return };
    let endpoint = busy().await;
    let mut names: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("it was there")
        .map(|it| it.expect("it was there").path())
        .filter(|it| it.extension().is_some_and(|it| it == "sip"))
        .collect();
    names.sort();
    let (mut refused, mut taken) = (0, Vec::new());
    for path in &names {
        let message = std::fs::read(path).expect("it was there");
        let note = std::fs::read_to_string(path.with_extension("json")).expect("its note");
        let is_bad = note.contains("\"expects_parse_exception\": true");
        let got = code(answer_to(&endpoint, &message, false).await.as_deref());
        match got {
            TAKEN | 200 if is_bad => taken.push(path.file_stem().map(|it| it.to_owned())),
            _ if is_bad => refused += 1,
            _ => {}
        }
    }
    eprintln!("{} messages, {refused} bad ones refused", names.len());
    assert!(taken.is_empty(), "{taken:?}");
}
