//! Calls out and in by trunks: what may be rung, who sees credentials, and what is done when a
//! place is silent (S01, S03, F07, F21).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use cordboard_sip::access::Access;
use cordboard_sip::digest::{Challenge, Credentials};
use cordboard_sip::endpoint::{DialError, Endpoint, EndpointConfig, LegSignal, TrunkState};
use cordboard_sip::srtp::SrtpPolicy;
use cordboard_sip::trunk::Trunk;
use tokio::net::UdpSocket;

use support::{PATIENCE, Phone, Side, call, endpoint, field, next, request, sdp, settled};

const REALM: &str = "carrier.example";

fn trunk(name: &str, places: &[SocketAddr]) -> Trunk {
    let hosts = places.iter().map(|it| it.to_string().parse().unwrap()).collect();
    Trunk {
        credentials: Some(Credentials::new("pbx", "open sesame")),
        realm: Some(REALM.to_owned()),
        numbers: vec!["+4930".to_owned()],
        keepalive: None,
        ..Trunk::named(name, hosts)
    }
}

async fn with_trunks(trunks: Vec<Trunk>, name_servers: Vec<SocketAddr>) -> Side {
    let config = EndpointConfig {
        bind_udp: "127.0.0.1:0".parse().ok(),
        trunks,
        name_servers,
        access: Access::new(["127.0.0.1"], []).unwrap(),
        ..EndpointConfig::default()
    };
    Endpoint::bind(config).await.unwrap()
}

/// A carrier by hand.
struct Carrier(UdpSocket);

impl Carrier {
    async fn new() -> Self {
        Self(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    fn at(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The next request of a method, and who sent it.
    async fn request(&self, method: &str) -> (String, SocketAddr) {
        let mut buffer = vec![0; 8192];
        loop {
            let received = tokio::time::timeout(PATIENCE, self.0.recv_from(&mut buffer)).await;
            let (length, from) = received.expect("a request in time").unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(method) {
                return (text, from);
            }
        }
    }

    async fn answer(&self, (request, to): &(String, SocketAddr), status: &str, more: &str) {
        let copied = ["Via", "From", "Call-ID", "CSeq"];
        let mut text = format!("SIP/2.0 {status}\r\n");
        for name in copied {
            text += &format!("{name}: {}\r\n", field(request, name).unwrap());
        }
        let tag = if request.contains(";tag=far") { "" } else { ";tag=far" };
        text += &format!("To: {}{tag}\r\n{more}", field(request, "To").unwrap());
        if !more.contains("Content-Length") {
            text += "Content-Length: 0\r\n\r\n";
        }
        self.0.send_to(text.as_bytes(), to).await.unwrap();
    }

    /// 200 with a description.
    async fn accept(&self, request: &(String, SocketAddr)) {
        let body = sdp(5000);
        let more = format!(
            "Contact: <sip:far@{}>\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.at(),
            body.len(),
        );
        self.answer(request, "200 OK", &more).await;
    }
}

fn challenge(realm: &str, nonce: &str, more: &str) -> String {
    format!(
        "Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", \
         algorithm=SHA-256{more}\r\n"
    )
}

/// Whether the request carries the right answer to a challenge of ours.
fn is_right(request: &str, nonce: &str) -> bool {
    let given = field(request, "Proxy-Authorization").or_else(|| field(request, "Authorization"));
    let part = |name: &str| {
        let (_, rest) = given?.split_once(&format!("{name}="))?;
        rest.split([',', '"']).find(|it| !it.is_empty()).map(str::to_owned)
    };
    let (Some(uri), Some(response), Some(client)) =
        (part(" uri"), part("response"), part("cnonce"))
    else {
        return false;
    };
    let uses = u32::from_str_radix(&part("nc").unwrap(), 16).unwrap();
    let method = request.split(' ').next().unwrap();
    let value =
        format!("Digest realm=\"{REALM}\", nonce=\"{nonce}\", qop=\"auth\", algorithm=SHA-256");
    let challenge = Challenge::parse(&value).unwrap();
    let secret = Credentials::new("pbx", "open sesame");
    challenge.answer(&secret, (method, &uri), uses, &client).contains(&response)
}

#[tokio::test]
async fn the_trunks_own_challenge_is_answered_in_one_round_in_every_method() {
    let carrier = Carrier::new().await;
    let (here, _calls) = with_trunks(vec![trunk("carrier", &[carrier.at()])], Vec::new()).await;
    let mut leg = here.dial(request("tel:+49-30-123456".to_owned())).unwrap();
    let first = carrier.request("INVITE").await;
    assert!(first.0.starts_with("INVITE sip:+4930123456@127.0.0.1 "), "{}", first.0);
    assert!(field(&first.0, "From").unwrap().contains("<sip:pbx@127.0.0.1>"));
    assert_eq!(field(&first.0, "Proxy-Authorization"), None);
    carrier.answer(&first, "407 Proxy Authentication Required", &challenge(REALM, "n1", "")).await;
    let second = carrier.request("INVITE").await;
    assert!(is_right(&second.0, "n1"), "{}", second.0);
    assert_eq!(field(&second.0, "CSeq"), Some("2 INVITE"));
    carrier.accept(&second).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Accepted { sdp: Some(sdp(5000)) }));

    leg.line.reinvite(sdp(6000));
    let change = loop {
        let change = carrier.request("INVITE").await;
        if field(&change.0, "CSeq") == Some("3 INVITE") {
            break change;
        }
    };
    let stale = challenge(REALM, "n2", ", stale=true");
    carrier.answer(&change, "407 Proxy Authentication Required", &stale).await;
    let change = loop {
        let change = carrier.request("INVITE").await;
        if field(&change.0, "CSeq") == Some("4 INVITE") {
            break change;
        }
    };
    assert!(is_right(&change.0, "n2"));
    carrier.accept(&change).await;
    let accepted = LegSignal::ReinviteAccepted { sdp: Some(sdp(5000)) };
    assert_eq!(next(&mut leg).await, Some(accepted));

    leg.line.hang_up(None);
    let bye = carrier.request("BYE").await;
    assert_eq!(field(&bye.0, "CSeq"), Some("5 BYE"));
    carrier.answer(&bye, "407 Proxy Authentication Required", &challenge(REALM, "n2", "")).await;
    let bye = loop {
        let bye = carrier.request("BYE").await;
        if field(&bye.0, "CSeq") == Some("6 BYE") {
            break bye;
        }
    };
    assert!(is_right(&bye.0, "n2") && bye.0.contains("nc=00000002"), "{}", bye.0);
    carrier.answer(&bye, "200 OK", "").await;
    assert_eq!(next(&mut leg).await, None);
    settled(&here).await;
    assert_eq!(here.trunks()[0].calls, 0);
}

#[tokio::test]
async fn a_realm_that_is_not_the_trunks_sees_no_credentials() {
    let carrier = Carrier::new().await;
    let (here, _calls) = with_trunks(vec![trunk("carrier", &[carrier.at()])], Vec::new()).await;
    let mut leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    let invite = carrier.request("INVITE").await;
    let theirs = challenge("evil.example", "n1", "");
    carrier.answer(&invite, "407 Proxy Authentication Required", &theirs).await;
    let refused = next(&mut leg).await;
    assert!(matches!(refused, Some(LegSignal::Refused { code: 407, .. })), "{refused:?}");

    // A callee asks in the call that it was given: for BYE.
    let mut leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    let invite = loop {
        let invite = carrier.request("INVITE").await;
        if field(&invite.0, "CSeq") == Some("1 INVITE") && !invite.0.contains("n1") {
            break invite;
        }
    };
    carrier.accept(&invite).await;
    next(&mut leg).await;
    leg.line.hang_up(None);
    let bye = carrier.request("BYE").await;
    carrier.answer(&bye, "407 Proxy Authentication Required", &theirs).await;
    assert_eq!(next(&mut leg).await, None);
    settled(&here).await;
    let mut buffer = [0; 4096];
    while let Ok((length, _)) = carrier.0.try_recv_from(&mut buffer) {
        assert!(!String::from_utf8_lossy(&buffer[..length]).contains("Authorization"));
    }
}

#[tokio::test]
async fn a_callee_who_knows_the_realm_sees_no_credentials_either() {
    let (carrier, mut callee) = (Carrier::new().await, Carrier::new().await);
    callee.0 = UdpSocket::bind((IpAddr::from([127, 0, 0, 3]), 0)).await.unwrap();
    let (here, _calls) = with_trunks(vec![trunk("carrier", &[carrier.at()])], Vec::new()).await;
    let mut leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    let invite = carrier.request("INVITE").await;
    let contact = format!("Contact: <sip:far@{}>\r\n", callee.at());
    carrier.answer(&invite, "200 OK", &contact).await;
    assert_eq!(next(&mut leg).await, Some(LegSignal::Accepted { sdp: None }));
    leg.line.hang_up(None);
    let bye = callee.request("BYE").await;
    let asked = challenge(REALM, "n1", "");
    callee.answer(&bye, "407 Proxy Authentication Required", &asked).await;
    assert_eq!(next(&mut leg).await, None);
    settled(&here).await;
    let mut buffer = [0; 4096];
    while let Ok((length, _)) = callee.0.try_recv_from(&mut buffer) {
        assert!(!String::from_utf8_lossy(&buffer[..length]).contains("Authorization"));
    }
}

#[tokio::test]
async fn the_next_trunk_that_may_ring_a_number_takes_over() {
    let silent = Carrier::new().await;
    let mut there = endpoint(Duration::from_millis(500)).await;
    let mut second = trunk("second", &[there.0.local_udp().unwrap()]);
    second.prefix = "99".to_owned();
    let (here, _calls) =
        with_trunks(vec![trunk("first", &[silent.at()]), second], Vec::new()).await;
    assert_eq!(here.route("tel:+4930123456").unwrap().trunk.as_deref(), Some("first"));
    let _leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    silent.request("INVITE").await;
    assert_eq!(call(&mut there.1).await.to_user, "99+4930123456");
    let calls: Vec<_> = here.trunks().iter().map(|it| it.calls).collect();
    assert_eq!(calls, [0, 1]);
}

#[tokio::test]
async fn a_trunk_is_told_who_we_are_in_its_own_words_or_as_its_user_or_as_the_dialler_says() {
    let credentials = Some(Credentials::new("pbx", "open sesame"));
    let ours = Some("sip:+4930999@us.example".to_owned());
    for (from_uri, credentials, routed, from) in [
        (ours.clone(), None, ours.as_deref(), "<sip:+4930999@us.example>"),
        (ours.clone(), credentials.clone(), ours.as_deref(), "<sip:+4930999@us.example>"),
        (None, credentials, Some("sip:pbx@127.0.0.1"), "<sip:pbx@127.0.0.1>"),
        (None, None, None, "<sip:4471@127.0.0.1>"),
    ] {
        let carrier = Carrier::new().await;
        let trunk = Trunk { from_uri, credentials, ..trunk("carrier", &[carrier.at()]) };
        let (here, _calls) = with_trunks(vec![trunk], Vec::new()).await;
        let route = here.route("tel:+4930123456").unwrap();
        assert_eq!((route.from.as_deref(), route.peer), (routed, Some(carrier.at().ip())));
        let _leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
        let (invite, _) = carrier.request("INVITE").await;
        assert!(field(&invite, "From").unwrap().contains(from), "{invite}");
    }
    let (here, _calls) = endpoint(Duration::from_millis(500)).await;
    assert_eq!(here.route("sip:desk@127.0.0.1:5090").unwrap().peer, "127.0.0.1".parse().ok());
}

#[tokio::test]
async fn a_secret_that_is_refused_is_not_sent_again() {
    let carrier = Carrier::new().await;
    let (here, _calls) = with_trunks(vec![trunk("carrier", &[carrier.at()])], Vec::new()).await;
    let mut leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    for nonce in ["n1", "n2"] {
        let invite = carrier.request("INVITE").await;
        let asked = challenge(REALM, nonce, "");
        carrier.answer(&invite, "407 Proxy Authentication Required", &asked).await;
    }
    let refused = next(&mut leg).await;
    assert!(matches!(refused, Some(LegSignal::Refused { code: 407, .. })), "{refused:?}");
}

#[tokio::test]
async fn a_silent_place_and_one_out_of_service_are_passed_over() {
    let (silent, busy) = (Carrier::new().await, Carrier::new().await);
    let mut there = endpoint(Duration::from_millis(500)).await;
    let last = there.0.local_udp().unwrap();
    let trunk = trunk("carrier", &[silent.at(), busy.at(), last]);
    let (here, _calls) = with_trunks(vec![trunk], Vec::new()).await;
    let mut leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    let unheard = silent.request("INVITE").await;
    let refused = busy.request("INVITE").await;
    busy.answer(&refused, "503 Service Unavailable", "").await;
    let callee = call(&mut there.1).await;
    assert_eq!(callee.to_user, "+4930123456");
    // The first wakes up too late: what it began is taken back.
    silent.answer(&unheard, "180 Ringing", "").await;
    silent.request("CANCEL").await;
    callee.leg.line.answer(sdp(5000));
    let accepted = async {
        loop {
            match next(&mut leg).await {
                Some(LegSignal::Accepted { .. }) => return,
                Some(LegSignal::Progress { .. }) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    accepted.await;
    let places: Vec<_> = here.trunks()[0].places.iter().map(|it| it.1).collect();
    assert_eq!(places, [false, false, true]);
    // The next call goes where somebody is.
    let _next = here.dial(request("tel:+4930123457".to_owned())).unwrap();
    assert_eq!(call(&mut there.1).await.to_user, "+4930123457");
}

#[tokio::test]
async fn a_place_is_asked_whether_it_is_there() {
    let carrier = Carrier::new().await;
    let mut asked = trunk("carrier", &[carrier.at()]);
    asked.keepalive = Some(Duration::from_secs(1));
    let (here, _calls) = with_trunks(vec![asked], Vec::new()).await;
    let options = carrier.request("OPTIONS").await;
    carrier.answer(&options, "503 Service Unavailable", "").await;
    let is = async |up: bool| {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let wait = async {
            while here.trunks()[0].places != [(carrier.at(), up)] {
                beat.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.expect("known in time");
    };
    is(false).await;
    let options = carrier.request("OPTIONS").await;
    carrier.answer(&options, "200 OK", "").await;
    is(true).await;
}

#[tokio::test]
async fn a_trunk_is_registered_with_renewed_and_left() {
    let carrier = Carrier::new().await;
    let mut registered = trunk("carrier", &[carrier.at()]);
    registered.register = Some(Duration::from_secs(60));
    let (here, _calls) = with_trunks(vec![registered], Vec::new()).await;
    let asked = "WWW-Authenticate: Digest realm=\"carrier.example\", nonce=\"r\", qop=\"auth\", \
                 algorithm=SHA-256\r\n";
    let first = carrier.request("REGISTER").await;
    assert!(first.0.contains("Expires: 60"), "{}", first.0);
    carrier.answer(&first, "401 Unauthorized", asked).await;
    let second = carrier.request("REGISTER").await;
    assert!(is_right(&second.0, "r"), "{}", second.0);
    carrier.answer(&second, "423 Interval Too Brief", "Min-Expires: 90\r\n").await;
    let third = carrier.request("REGISTER").await;
    assert!(third.0.contains("Expires: 90"), "{}", third.0);
    let contact = field(&third.0, "Contact").unwrap();
    let granted = format!("Contact: {contact};expires=2\r\n");
    carrier.answer(&third, "200 OK", &granted).await;
    // Two seconds are granted: it is back before they are over.
    let fourth = carrier.request("REGISTER").await;
    assert_eq!(here.trunks()[0].registered, Some(true));
    carrier.answer(&fourth, "200 OK", &format!("Contact: {contact};expires=600\r\n")).await;
    let leaving = tokio::spawn(async move { here.leave_trunks().await });
    let last = loop {
        let last = carrier.request("REGISTER").await;
        carrier.answer(&last, "200 OK", "").await;
        if last.0.contains("Expires: 0\r\n") {
            break last;
        }
    };
    assert_eq!(field(&last.0, "Call-ID"), field(&first.0, "Call-ID"));
    leaving.await.unwrap();
}

#[tokio::test]
async fn a_registration_that_is_refused_says_with_what() {
    let registrar = Carrier::new().await;
    let (register, credentials) = (Some(Duration::from_secs(60)), Credentials::new("ada", "wrong"));
    let phone =
        Trunk { any_realm: true, realm: None, register, ..trunk("desk", &[registrar.at()]) };
    let phone = Trunk { credentials: Some(credentials), ..phone };
    let (here, _calls) = with_trunks(vec![phone], Vec::new()).await;
    let first = registrar.request("REGISTER").await;
    let asked = "WWW-Authenticate: Digest realm=\"asterisk\", nonce=\"r\"\r\n";
    registrar.answer(&first, "401 Unauthorized", asked).await;
    let second = registrar.request("REGISTER").await;
    assert!(second.0.contains("realm=\"asterisk\""), "{}", second.0);
    registrar.answer(&second, "403 Forbidden", "").await;
    until(|| here.trunks()[0].refused == Some(403)).await;
    assert_eq!(here.trunks()[0].registered, Some(false));
}

#[tokio::test]
async fn nobody_is_rung_whom_no_trunk_may_ring() {
    let carrier = Carrier::new().await;
    let (here, mut calls) = with_trunks(vec![trunk("carrier", &[carrier.at()])], Vec::new()).await;
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let path = shared.join("data/sip/sip-attacks/scan_tollfraud_dev.jsonl");
    let Ok(lines) = std::fs::read_to_string(&path) else {
        eprintln!("skipped: {} is not here", path.display());
        return;
    };
    let phone = Phone::new(&here).await;
    let mut rung = 0;
    for line in lines.lines().filter(|it| it.contains("\"toll-fraud\"")) {
        let (_, rest) = line.split_once("\"dial\": \"").unwrap();
        let number = rest.split('"').next().unwrap();
        for to in [
            format!("tel:{number}"),
            format!("sip:{number}@carrier"),
            format!("sip:{number}@{}", carrier.at()),
            format!("sip:{number}@127.0.0.1"),
        ] {
            let refused = here.dial(request(to)).unwrap_err();
            assert!(matches!(refused, DialError::Number { .. }), "{refused}");
            rung += 1;
        }
        // As a call from a trusted source, too: what comes in never goes out.
        let (_, message) = line.split_once("\"msg\": \"").unwrap();
        phone.send(&message.replace("\\r\\n", "\r\n").replace("\\\"", "\"")).await;
        while calls.try_recv().is_ok() {}
    }
    assert!(rung >= 100, "{rung}");
    settled(&here).await;
    let mut buffer = [0; 64];
    assert!(carrier.0.try_recv_from(&mut buffer).is_err(), "a leg went out");
}

#[tokio::test]
async fn a_full_trunk_takes_no_more_calls_either_way() {
    let carrier = Carrier::new().await;
    let mut narrow = trunk("carrier", &[carrier.at()]);
    narrow.calls_max = 2;
    narrow.from = vec!["127.0.0.2/32".parse().unwrap()];
    narrow.srtp = SrtpPolicy::Require;
    let (here, mut calls) = with_trunks(vec![narrow], Vec::new()).await;
    let _first = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    carrier.request("INVITE").await;
    let mut phone = Phone::new(&here).await;
    phone.socket = UdpSocket::bind((IpAddr::from([127, 0, 0, 2]), 0)).await.unwrap();
    phone.send(&phone.request("INVITE", "in", 1, "", &sdp(4000))).await;
    let incoming = call(&mut calls).await;
    assert_eq!(incoming.trunk.as_deref(), Some("carrier"));
    assert_eq!((incoming.srtp, incoming.secure), (SrtpPolicy::Require, false));
    let full = Some(DialError::Full { trunk: "carrier".to_owned() });
    assert_eq!(here.dial(request("tel:+4930123457".to_owned())).err(), full);
    phone.send(&phone.request("INVITE", "more", 1, "", &sdp(4000))).await;
    phone.receive_of("SIP/2.0 503").await;
    let TrunkState { calls, calls_max, full, .. } = here.trunks().remove(0);
    assert_eq!((calls, calls_max, full), (2, 2, 2));
    incoming.leg.line.refuse(486, None);
    phone.receive_of("SIP/2.0 486").await;
    let mut beat = tokio::time::interval(Duration::from_millis(10));
    let room = async {
        while here.trunks()[0].calls > 1 {
            beat.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, room).await.expect("room in time");
}

/// A name server: SRV for the trunk, addresses for all names.
#[derive(Clone, Default)]
struct Names {
    /// Whether questions for services are refused: SERVFAIL.
    fails: Arc<AtomicBool>,
    /// Questions for services so far.
    asked: Arc<AtomicU32>,
}

impl Names {
    async fn serve(&self, ports: [u16; 2]) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = socket.local_addr().unwrap();
        let names = self.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 512];
            while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
                let answer = names.answer(&buffer[..length], ports);
                socket.send_to(&answer, from).await.unwrap();
            }
        });
        at
    }

    fn answer(&self, question: &[u8], ports: [u16; 2]) -> Vec<u8> {
        let end = 12 + question[12..].iter().position(|it| *it == 0).unwrap() + 5;
        let kind = u16::from_be_bytes([question[end - 4], question[end - 3]]);
        let is_service = kind == 33;
        self.asked.fetch_add(u32::from(is_service), Ordering::AcqRel);
        let fails = is_service && self.fails.load(Ordering::Acquire);
        let records: Vec<Vec<u8>> = match kind {
            33 if fails => Vec::new(),
            // Weight does not matter: the priorities differ.
            33 => [(20_u16, ports[1], b"\x01b"), (10, ports[0], b"\x01a")]
                .iter()
                .map(|(priority, port, name)| {
                    let mut data = priority.to_be_bytes().to_vec();
                    data.extend([0, 0]);
                    data.extend(port.to_be_bytes());
                    data.extend(*name);
                    data.extend(b"\x07carrier\x04test\x00");
                    data
                })
                .collect(),
            1 => vec![vec![127, 0, 0, 1]],
            _ => Vec::new(),
        };
        let mut answer = question[..end].to_vec();
        answer[2..4].copy_from_slice(&[0x84, if fails { 2 } else { 0 }]);
        answer[6..8].copy_from_slice(&u16::try_from(records.len()).unwrap().to_be_bytes());
        answer[8..12].fill(0);
        for data in records {
            answer.extend([0xc0, 12]);
            answer.extend(kind.to_be_bytes());
            // Not to be kept: every question comes here.
            answer.extend([0, 1, 0, 0, 0, 0]);
            answer.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            answer.extend(data);
        }
        answer
    }
}

fn named_trunk() -> Trunk {
    Trunk { hosts: vec!["carrier.test".parse().unwrap()], ..trunk("carrier", &[]) }
}

/// Waits until something is so.
async fn until(is_so: impl Fn() -> bool) {
    let mut beat = tokio::time::interval(Duration::from_millis(20));
    let wait = async {
        while !is_so() {
            beat.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

#[tokio::test]
async fn the_servers_of_a_name_are_rung_in_their_order() {
    let silent = Carrier::new().await;
    let mut there = endpoint(Duration::from_millis(500)).await;
    let ports = [silent.at().port(), there.0.local_udp().unwrap().port()];
    let names = Names::default().serve(ports).await;
    let (here, _calls) = with_trunks(vec![named_trunk()], vec![names]).await;
    let _leg = here.dial(request("tel:+4930123456".to_owned())).unwrap();
    let first = silent.request("INVITE").await;
    assert!(first.0.starts_with("INVITE sip:+4930123456@carrier.test "), "{}", first.0);
    assert_eq!(call(&mut there.1).await.to_user, "+4930123456");
}

#[tokio::test]
async fn a_question_for_services_that_goes_wrong_leaves_the_places_as_they_stand() {
    let (first, second) = (Carrier::new().await, Carrier::new().await);
    let names = Names::default();
    let server = names.serve([first.at().port(), second.at().port()]).await;
    let probed = Trunk { keepalive: Some(Duration::from_secs(1)), ..named_trunk() };
    let (here, _calls) = with_trunks(vec![probed], vec![server]).await;
    let known = [(first.at(), true), (second.at(), false)];
    let answers = async {
        loop {
            tokio::select! {
                options = first.request("OPTIONS") => first.answer(&options, "200 OK", "").await,
                options = second.request("OPTIONS") => {
                    second.answer(&options, "503 Service Unavailable", "").await;
                }
            }
        }
    };
    let lost = async {
        until(|| here.trunks()[0].places == known).await;
        names.fails.store(true, Ordering::Release);
        let before = names.asked.load(Ordering::Acquire);
        // What follows from an answer is there before the next question but one.
        let again = || names.asked.load(Ordering::Acquire) >= before + 4;
        until(|| {
            assert_eq!(here.trunks()[0].places, known);
            again()
        })
        .await;
    };
    tokio::select! {
        () = answers => {}
        () = lost => {}
    }
}

#[tokio::test]
async fn services_that_could_not_be_asked_for_at_first_are_soon_asked_for_again() {
    let (first, second) = (Carrier::new().await, Carrier::new().await);
    let names = Names::default();
    names.fails.store(true, Ordering::Release);
    let server = names.serve([first.at().port(), second.at().port()]).await;
    let (here, _calls) = with_trunks(vec![named_trunk()], vec![server]).await;
    until(|| names.asked.load(Ordering::Acquire) > 0).await;
    names.fails.store(false, Ordering::Release);
    until(|| !here.trunks()[0].places.is_empty()).await;
    assert_eq!(here.trunks()[0].places, [(first.at(), true), (second.at(), true)]);
}
