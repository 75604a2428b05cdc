//! At which of our addresses a caller is told to reach us.

use std::net::{IpAddr, SocketAddr, UdpSocket};

use tempfile::TempDir;
use tokio::net::UdpSocket as Socket;

use crate::support::{PATIENCE, Serving, run, settings};

/// An address of this machine that others may reach, where it has one: that of the default route.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("198.51.100.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|it| !it.is_loopback())
}

/// Rings from an address; gives the answer with its session description.
async fn answer_to(from: IpAddr, service: SocketAddr) -> String {
    let socket = Socket::bind((from, 0)).await.unwrap();
    let here = socket.local_addr().unwrap();
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {from}\r\ns=-\r\nc=IN IP4 {from}\r\nt=0 0\r\n\
         m=audio 40000 RTP/AVP 0\r\n"
    );
    let invite = format!(
        "INVITE sip:short@{service} SIP/2.0\r\nVia: SIP/2.0/UDP {here};branch=z9hG4bK{0}\r\n\
         From: <sip:x@{here}>;tag={0}\r\nTo: <sip:short@{service}>\r\nCall-ID: told-{0}\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:x@{here}>\r\nMax-Forwards: 70\r\n\
         Content-Type: application/sdp\r\nContent-Length: {1}\r\n\r\n{sdp}",
        here.port(),
        sdp.len()
    );
    socket.send_to(invite.as_bytes(), (from, service.port())).await.unwrap();
    let mut buffer = vec![0; 8_192];
    let answered = async {
        loop {
            let (length, _) = socket.recv_from(&mut buffer).await.unwrap();
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with("SIP/2.0 200") {
                return text;
            }
            assert!(text.starts_with("SIP/2.0 1"), "{text}");
        }
    };
    tokio::time::timeout(PATIENCE, answered).await.expect("an answer in time")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_is_told_the_address_at_which_he_reaches_us() {
    let Some(own) = own_address() else {
        eprintln!("this machine has no address but loopback: nothing is tried");
        return;
    };
    let service = Serving::start(&format!(
        "[sip]\nlisten_udp = \"0.0.0.0:0\"\ntrusted = [\"127.0.0.0/8\", \"{own}\"]"
    ));
    for from in ["127.0.0.1".parse().unwrap(), own] {
        let answer = answer_to(from, service.udp).await;
        assert!(answer.contains(&format!("\r\nc=IN IP4 {from}\r\n")), "{from}: {answer}");
    }
}

#[test]
fn check_tells_who_would_be_told_an_address_that_is_this_machine_s_alone() {
    let folder = TempDir::new().unwrap();
    let trunk = "[[trunk]]\nname = \"carrier\"\nhosts = [\"192.0.2.77\"]";
    let config = settings(folder.path(), trunk);
    let output = run(&["check", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout);
    let fault = said.lines().find(|it| it.starts_with("fault: ") && it.contains("carrier"));
    let fault = fault.unwrap_or_else(|| panic!("{said}"));
    assert!(fault.contains("127.0.0.1") && fault.contains("sip.advertised"), "{fault}");

    let advertised = "[sip]\nadvertised = \"203.0.113.7\"";
    let config = settings(folder.path(), &format!("{trunk}\n{advertised}"));
    let output = run(&["check", config.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(!said.contains("carrier"), "{said}");
}
