//! Answers every call with silence until the caller hangs up; `sipp -sn uac` is a caller for it.
//!
//! `cargo run -p cordboard-sip --example answering_machine -- 127.0.0.1:5070 [seconds]`: listens on
//! UDP and TCP there, prints what there is every ten seconds, and ends after that many.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{Endpoint, EndpointConfig, Incoming, LegSignal};
use cordboard_sip::negotiation::{AudioCodec, Negotiation};
use cordboard_sip::ports::Ports;
use cordboard_sip::rtp::MAX_PACKET_BYTES;
use cordboard_sip::sender::{FRAME_SAMPLES, Sender};

/// How often counters are printed.
const REPORT: Duration = Duration::from_secs(10);

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let address: SocketAddr = arguments.next().as_deref().unwrap_or("127.0.0.1:5070").parse()?;
    let seconds: u64 = arguments.next().as_deref().unwrap_or("3600").parse()?;
    let config = EndpointConfig {
        bind_udp: Some(address),
        bind_tcp: Some(address),
        access: Access::new(["127.0.0.0/8", "::1"], [])?,
        user_agent: "cordboard-answering-machine".to_owned(),
        ..EndpointConfig::default()
    };
    let (endpoint, mut calls) = Endpoint::bind(config).await?;
    let ports = Ports::new(20_000..=29_999, u64::from(std::process::id()))?;
    let mut report = tokio::time::interval(REPORT);
    let mut reports_left = seconds / REPORT.as_secs();
    loop {
        tokio::select! {
            call = calls.recv() => {
                let Some(call) = call else { return Ok(()) };
                let here = endpoint.address_towards(call.source.ip());
                let ports = ports.clone();
                tokio::spawn(async move { answer(call, here, &ports).await });
            }
            _ = report.tick() => {
                writeln!(std::io::stdout(), "{:?} ports: {}", endpoint.counters(), ports.lent())?;
                if reports_left == 0 {
                    return Ok(());
                }
                reports_left -= 1;
            }
        }
    }
}

async fn answer(call: Incoming, here: std::net::IpAddr, ports: &Ports) -> Result<(), Failure> {
    let mut leg = call.leg;
    let (_lease, socket) = ports.lease_with(|port| UdpSocket::bind((here, port)).ok())?;
    socket.set_nonblocking(true)?;
    let socket = tokio::net::UdpSocket::from_std(socket)?;
    let mut negotiation = Negotiation::new(socket.local_addr()?, 1)
        .with_codecs(&[AudioCodec::Pcmu, AudioCodec::Pcma]);
    let mut agreed = None;
    let answer = match call.offer {
        None => negotiation.offer(),
        Some(offer) => match negotiation.answer(&offer) {
            Ok((found, answer)) => {
                agreed = Some(found);
                answer
            }
            Err(refusal) => {
                leg.line.refuse(refusal.status(), None);
                return Ok(());
            }
        },
    };
    leg.line.ringing();
    leg.line.answer(answer);
    let mut sender = Sender::new(0, 20, 7);
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    let mut buffer = [0; MAX_PACKET_BYTES];
    loop {
        tokio::select! {
            signal = leg.events.recv() => match signal {
                Some(LegSignal::Acked { sdp: Some(sdp) }) => {
                    agreed = negotiation.accept_answer(&sdp).ok();
                }
                Some(LegSignal::Reinvited { sdp: Some(sdp) }) => {
                    match negotiation.answer(&sdp) {
                        Ok((found, answer)) => {
                            agreed = Some(found);
                            leg.line.accept_reinvite(answer);
                        }
                        Err(refusal) => leg.line.refuse_reinvite(refusal.status()),
                    }
                }
                Some(LegSignal::Reinvited { sdp: None }) => {
                    leg.line.accept_reinvite(negotiation.offer());
                }
                Some(LegSignal::Bye { .. } | LegSignal::Cancelled | LegSignal::NoAck) | None => {
                    return Ok(());
                }
                Some(_) => {}
            },
            _ = tick.tick() => if let Some(agreed) = agreed.filter(|it| !it.is_held()) {
                let silence = [agreed.codec.silence().unwrap_or(0xff); FRAME_SAMPLES];
                sender.push(&silence, |packet| {
                    // A full socket drops a packet of silence.
                    let _ = socket.try_send_to(packet, agreed.remote);
                });
            },
            _ = socket.recv_from(&mut buffer) => {}
        }
    }
}
