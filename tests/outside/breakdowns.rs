//! The service fails: a call panics, the process stands still, an address goes away. What callers
//! hear of it is measured at their sockets.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use cordboard::clock;
use cordboard::replay::{Act, Phone, Script, Step, When};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Caller, PATIENCE, Serving, pass, told, until};

/// The call of a caller, once an entry of it fits.
async fn call_with(service: &Serving, caller: &str, fits: impl Fn(&Value) -> bool) -> String {
    let id = service.api.call_of(caller).await["id"].as_str().unwrap().to_owned();
    service.api.entry(&id, fits).await;
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_one_call_whose_caller_is_handed_to_a_human() {
    let mut agent = Phone::bind("127.0.0.1:0".parse().unwrap(), 31_000..=31_099).await.unwrap();
    let queue = format!(
        "[[queue]]\nname = \"service\"\n\
         [[agent]]\nname = \"ada\"\nuri = \"{}\"\nqueues = [\"service\"]",
        agent.uri("ada")
    );
    let service = Serving::start_with(&queue, &[("TRIAL_PANIC_KEY", "7")]);
    // With two workers or one, the third has the first one's.
    let mut unlucky = Caller::ring(&service, "short", "unlucky").await;
    let mut other = Caller::ring(&service, "short", "other").await;
    let mut neighbour = Caller::ring(&service, "short", "neighbour").await;
    let asked = |it: &Value| it["what"] == "prompt_ended" && it["heard"] == "Yes?";
    let id = call_with(&service, "unlucky", asked).await;
    let began = clock::monotonic();
    let key =
        |at| Step { when: When::Answered(Duration::from_secs(at)), act: Act::Key("1".into()) };
    let human = tokio::spawn(async move {
        let script = Script::new([key(6), key(9), key(12), key(15)]);
        agent.answer(script, PATIENCE, PATIENCE).await
    });
    unlucky.key('7').await;
    service.api.entry(&id, |it| it["what"] == "bridged").await;
    let (missing_ms, silent_ms) = unlucky.gaps_ms(began);
    told("panic, human there", "an apology, music, a human", silent_ms);
    eprintln!("the longest time without a packet was {missing_ms} ms");
    let timeline = service.api.timeline(&id).await;
    let at = |what: &str| timeline.iter().position(|it| it["what"] == what);
    assert!(at("panicked") < at("enqueued") && at("panicked").is_some(), "{timeline:#?}");
    assert_eq!(timeline.iter().filter(|it| it["what"] == "rang").count(), 1);
    unlucky.hang_up().await;
    assert_eq!(service.api.ended_call_of("unlucky").await["outcome"], "handed_over");
    human.await.unwrap().unwrap();

    for (caller, name) in [(&mut other, "other"), (&mut neighbour, "neighbour")] {
        let packets = caller.packets();
        let follows =
            |pair: &[crate::support::Packet]| pair[1].sequence == pair[0].sequence.wrapping_add(1);
        assert!(packets.windows(2).all(follows), "{name}: a packet is missing");
        eprintln!("{name}: the longest time without a packet was {} ms", caller.gaps_ms(began).0);
        caller.hang_up().await;
        let call = service.api.ended_call_of(name).await;
        assert_eq!(call["cause"], "bye", "{call}");
        let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
        assert!(!timeline.iter().any(|it| it["what"] == "panicked"));
    }
    let page = service.api.text("/metrics").await;
    assert!(page.contains("cordboard_call_panics_total 1\n"), "{page}");
}

/// In the call itself, and in what is around it.
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_without_a_human_ends_the_call_with_a_goodbye() {
    let variables = [("TRIAL_PANIC_KEY", "7"), ("TRIAL_PANIC_SEAT_KEY", "8")];
    let service = Serving::start_with("", &variables);
    for (key, name) in [('7', "unlucky"), ('8', "luckless")] {
        let mut caller = Caller::ring(&service, "short", name).await;
        let asked = |it: &Value| it["what"] == "prompt_ended" && it["heard"] == "Yes?";
        let id = call_with(&service, name, asked).await;
        let began = clock::monotonic();
        caller.key(key).await;
        until("the service's BYE", async || caller.is_hung_up().then_some(())).await;
        told("panic, no human", "an apology and a goodbye", caller.gaps_ms(began).1);
        let call = service.api.ended_call_of(name).await;
        let expected = (&"failed".into(), &"panic".into());
        assert_eq!((&call["outcome"], &call["cause"]), expected, "{call}");
        let timeline = service.api.timeline(&id).await;
        let whole = timeline.iter().filter(|it| it["what"] == "prompt_ended" && it["unsaid"] == "");
        let heard: Vec<_> = whole.map(|it| it["heard"].to_string()).collect();
        assert!(heard.last().is_some_and(|it| it.contains("Goodbye")), "{heard:?}");
    }
    service.api.until_live(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_stood_still_for_two_seconds_goes_on_without_a_burst() {
    let service = Serving::start("");
    let mut caller = Caller::ring(&service, "parcel", "patient").await;
    let began = clock::monotonic();
    let id = call_with(&service, "patient", |it| it["what"] == "prompt_began").await;
    service.signal("STOP");
    // What was on its way comes first.
    let mut before = caller.packets().len();
    loop {
        pass(Duration::from_millis(500)).await;
        let came = caller.packets().len();
        if std::mem::replace(&mut before, came) == came {
            break;
        }
    }
    pass(Duration::from_secs(2)).await;
    assert_eq!(caller.packets().len(), before, "a stopped process sends nothing");
    let woken = clock::monotonic();
    service.signal("CONT");
    pass(Duration::from_secs(1)).await;
    // More than 100 ticks were missed; a second has 50.
    let came = (caller.packets().len() - before) as u128;
    let ticks = (clock::monotonic() - woken).as_millis() / 20;
    assert!((1..ticks + 30).contains(&came), "{came} packets in {ticks} ticks after");
    let stalled = service.api.entry(&id, |it| it["what"] == "stalled").await;
    assert!(stalled["for_ms"].as_u64().unwrap() >= 2_000, "{stalled}");
    let asked = |it: &Value| it["what"] == "prompt_ended" && it["unsaid"] == "";
    service
        .api
        .entry(&id, |it| asked(it) && it["at_ms"].as_u64() > stalled["at_ms"].as_u64())
        .await;
    told("process stopped for 2 s", "the prompt goes on behind the gap", caller.gaps_ms(began).1);
    assert!(!caller.is_hung_up());
    caller.hang_up().await;
    assert_eq!(service.api.ended_call_of("patient").await["cause"], "bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_is_told_while_calls_are_served() {
    let manager = tempfile::TempDir::new().unwrap();
    let path = manager.path().join("notify");
    let words = tokio::net::UnixDatagram::bind(&path).unwrap();
    let service = Serving::start_with(
        "",
        &[("NOTIFY_SOCKET", path.to_str().unwrap()), ("WATCHDOG_USEC", "1000000")],
    );
    let told = async || {
        let mut word = [0; 64];
        let length = tokio::time::timeout(PATIENCE, words.recv(&mut word)).await.unwrap().unwrap();
        String::from_utf8_lossy(&word[..length]).into_owned()
    };
    assert_eq!(told().await, "READY=1");
    let mut caller = Caller::ring(&service, "short", "watched").await;
    for _ in 0..4 {
        assert_eq!(told().await, "WATCHDOG=1");
    }
    caller.hang_up().await;
    service.api.until_live(0).await;
}

/// An address of this machine that is there until it is taken away.
struct Address(String);

impl Address {
    /// None, with a line that says so, where this may not be done.
    fn add() -> Option<Self> {
        let address = Self(format!("198.51.100.{}", 10 + std::process::id() % 200));
        let added = address.change("add");
        if !added {
            eprintln!(
                "skipped: addresses of this machine may not be changed; be root, install iproute2"
            );
        }
        added.then_some(address)
    }

    fn change(&self, how: &str) -> bool {
        let words = ["addr", how, &format!("{}/32", self.0), "dev", "lo"];
        Command::new("ip").args(words).output().is_ok_and(|it| it.status.success())
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.change("del");
    }
}

/// The status of the answer to OPTIONS over TCP.
async fn options(tcp: SocketAddr) -> u16 {
    let mut stream = TcpStream::connect(tcp).await.unwrap();
    let text = format!(
        "OPTIONS sip:any@{tcp} SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1;branch=z9hG4bKo\r\n\
         From: <sip:o@127.0.0.1>;tag=o\r\nTo: <sip:any@{tcp}>\r\nCall-ID: o\r\n\
         CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    );
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut head = [0; 11];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut head)).await.unwrap().unwrap();
    String::from_utf8_lossy(&head[8..]).parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn while_its_address_is_gone_the_service_sends_calls_elsewhere_and_takes_them_after() {
    let Some(address) = Address::add() else { return };
    let service = Serving::start(&format!(
        "[sip]\nlisten_udp = \"{0}:0\"\ntrusted = [\"{0}/32\", \"127.0.0.0/8\"]",
        address.0
    ));
    assert_eq!((service.status("/readyz").await, options(service.tcp).await), (200, 200));
    assert!(address.change("del"));
    let began = clock::monotonic();
    until("unready", async || (service.status("/readyz").await == 503).then_some(())).await;
    eprintln!("unready {} ms after the address was gone", (clock::monotonic() - began).as_millis());
    let why = service.api.text("/readyz").await;
    assert!(why.contains("not this machine's any more"), "{why}");
    assert_eq!(options(service.tcp).await, 503);
    assert!(service.log().contains(&address.0), "{}", service.log());
    assert!(address.change("add"));
    until("ready again", async || (service.status("/readyz").await == 200).then_some(())).await;
    let began = clock::monotonic();
    let mut caller = Caller::ring(&service, "short", "back").await;
    call_with(&service, "back", |it| it["what"] == "prompt_ended").await;
    told("address gone and back", "later calls as ever", caller.gaps_ms(began).1);
    caller.hang_up().await;
    service.api.until_live(0).await;
}
