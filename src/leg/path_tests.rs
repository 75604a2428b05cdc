//! Two paths, or a path and a stranger, on loopback.

use std::net::{IpAddr, Ipv4Addr};

use cordboard_sip::negotiation::AudioCodec;
use cordboard_sip::negotiation::Negotiation;
use cordboard_sip::ports::Ports;
use cordboard_sip::sender::Sender;
use cordboard_sip::srtp::SrtpPolicy;

use super::*;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const CLOCK_HZ: u32 = 8_000;

fn media(srtp: SrtpPolicy) -> MediaSettings {
    // Far from the ports of the tests beside this one, wherever they stand.
    let first = 30_000 + (std::process::id() % 100) as u16 * 200;
    let ports = Ports::new(first..=first + 199, rand::random()).unwrap();
    let codecs = vec![AudioCodec::Pcmu, AudioCodec::Pcma];
    MediaSettings {
        bind: HERE,
        advertised: HERE,
        ports,
        codecs,
        srtp,
        keys_may_travel: true,
        stamps: false,
    }
}

struct End {
    path: Path,
    negotiation: Negotiation,
    sender: Sender,
    peer: SocketAddr,
}

impl End {
    fn open(media: &MediaSettings) -> Self {
        let path = Path::open(media).unwrap();
        let local = SocketAddr::new(HERE, path.port());
        let negotiation = Negotiation::new(local, 1);
        let negotiation = negotiation.secured(media.srtp, true, rand::random());
        let sender = Sender::new(0, 20, rand::random());
        Self { path, negotiation, sender, peer: local }
    }

    fn agree(&mut self, agreed: Negotiated) {
        self.peer = agreed.remote;
        self.path.report(self.sender.ssrc(), 1, 1_700_000_000_000, CLOCK_HZ);
        self.path.agree(&agreed, self.negotiation.keys(), CLOCK_HZ);
    }

    fn say(&mut self, sample: u8) {
        let (path, to) = (&mut self.path, self.peer);
        self.sender.push(&[sample; 160], |packet| path.send(packet, to));
    }

    /// Reads what has come; loopback delivers before `send` returns.
    fn hear(&mut self) -> Vec<(Received, Vec<u8>)> {
        let mut heard = Vec::new();
        let mut buffer = [0; 1_500];
        loop {
            match self.path.receive(&mut buffer, Some(self.peer)) {
                Received::Nothing => return heard,
                Received::Rtp { len, from, authenticated } => {
                    let read = Packet::parse(&buffer[..len]).map(|it| it.payload.to_vec());
                    let received = Received::Rtp { len, from, authenticated };
                    heard.push((received, read.unwrap_or_default()));
                }
                other => heard.push((other, Vec::new())),
            }
        }
    }
}

/// Two ends that have agreed.
fn pair(policy: SrtpPolicy) -> (End, End) {
    let media = media(policy);
    let (mut near, mut far) = (End::open(&media), End::open(&media));
    let offer = near.negotiation.offer();
    let (agreed, answer) = far.negotiation.answer(&offer).unwrap();
    far.agree(agreed);
    let agreed = near.negotiation.accept_answer(&answer).unwrap();
    near.agree(agreed);
    (near, far)
}

fn count(heard: &[(Received, Vec<u8>)], kind: fn(&Received) -> bool) -> usize {
    heard.iter().filter(|(received, _)| kind(received)).count()
}

fn is_sound(received: &Received) -> bool {
    matches!(received, Received::Rtp { .. })
}

#[test]
fn secured_sound_and_reports_go_both_ways() {
    let (mut near, mut far) = pair(SrtpPolicy::Require);
    for round in 0..50 {
        near.say(round);
        far.say(round + 100);
        let (at_far, at_near) = (far.hear(), near.hear());
        for (heard, sample) in [(at_far, round), (at_near, round + 100)] {
            assert_eq!(heard.len(), 1);
            assert!(matches!(heard[0].0, Received::Rtp { authenticated: true, .. }));
            assert_eq!(heard[0].1, [sample; 160]);
        }
    }
    let late = Duration::from_secs(30);
    assert!(near.path.tick(late, Some(near.peer)), "a report is due");
    assert_eq!(count(&far.hear(), |it| *it == Received::Report), 1);
    near.path.goodbye(Some(near.peer));
    assert_eq!(count(&far.hear(), |it| *it == Received::Report), 1, "a goodbye ends nothing");
}

/// Shows 4: a socket that stands in for the network sees no plain packet.
#[test]
fn under_require_no_plain_packet_leaves_the_machine() {
    let (mut near, _far) = pair(SrtpPolicy::Require);
    let tap = UdpSocket::bind((HERE, 0)).unwrap();
    tap.set_nonblocking(true).unwrap();
    near.peer = tap.local_addr().unwrap();
    let mut key = near.negotiation.keys().map(|keys| Opener::new(&keys.ours).unwrap()).unwrap();
    let (mut seen, mut buffer) = (0, [0; 1_500]);
    for round in 0..500_u16 {
        near.say(0x55);
        near.path.tick(Duration::from_millis(u64::from(round) * 20), Some(near.peer));
        while let Ok((len, _)) = tap.recv_from(&mut buffer) {
            seen += 1;
            assert!(!buffer[..len].windows(8).any(|it| it == [0x55; 8]), "plain sound");
            let opened = match is_rtcp(&buffer[..len]) {
                true => key.open_rtcp(&mut buffer[..len]).is_ok(),
                false => key.open_rtp(&mut buffer[..len]).is_ok(),
            };
            assert!(opened, "what leaves is sealed with the agreed key");
        }
    }
    assert!(seen > 500, "sound and reports: {seen}");
    near.path.security = Security::Shut;
    near.say(0x55);
    near.path.tick(Duration::from_secs(60), Some(near.peer));
    assert!(tap.recv_from(&mut buffer).is_err(), "without a cipher nothing is sent");
}

/// F11: the first packet that authenticates is followed wherever it comes from, at once.
#[test]
fn a_secured_peer_behind_a_new_port_is_heard_with_its_first_packet() {
    let (mut near, mut far) = pair(SrtpPolicy::Require);
    near.say(1);
    assert_eq!(far.hear().len(), 1);
    let before = near.path.rtp.local_addr().unwrap();
    near.path.rtp = UdpSocket::bind((HERE, 0)).unwrap();
    near.path.rtp.set_nonblocking(true).unwrap();
    near.say(2);
    let heard = far.hear();
    let Received::Rtp { from, authenticated: true, .. } = heard[0].0 else {
        panic!("{heard:?}");
    };
    assert!(from != before && from == near.path.rtp.local_addr().unwrap());
}

/// S10, S13, S14: what strangers send is junk, gets no answer, and the call goes on.
#[test]
fn packets_made_to_hurt_are_junk_and_get_no_answer() {
    let stranger = UdpSocket::bind((HERE, 0)).unwrap();
    stranger.set_nonblocking(true).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/sip/media-attacks");
    let Ok(files) = std::fs::read_dir(folder) else {
        println!("skipped: {folder} is not there");
        return;
    };
    let packets: Vec<Vec<u8>> =
        files.map(|it| std::fs::read(it.unwrap().path()).unwrap()).collect();
    for policy in [SrtpPolicy::Require, SrtpPolicy::None] {
        let (mut near, mut far) = pair(policy);
        for packet in packets.iter().filter(|it| it.len() < 60_000) {
            let to = SocketAddr::new(HERE, far.path.port());
            for to in [to, SocketAddr::new(HERE, to.port() + 1)] {
                drop(stranger.send_to(packet, to));
            }
            let heard = far.hear();
            if policy == SrtpPolicy::Require {
                assert_eq!(count(&heard, is_sound), 0);
            }
        }
        let mut buffer = [0; 100];
        assert!(stranger.recv_from(&mut buffer).is_err(), "nothing is sent back");
        near.say(3);
        assert_eq!(count(&far.hear(), is_sound), 1, "{policy:?}: the call goes on");
    }
}

/// S13: what we have sent ourselves, or heard already, is not heard.
#[test]
fn reflected_and_replayed_packets_are_junk() {
    let (mut near, mut far) = pair(SrtpPolicy::Require);
    let tap = UdpSocket::bind((HERE, 0)).unwrap();
    let far_port = SocketAddr::new(HERE, far.path.port());
    near.peer = tap.local_addr().unwrap();
    near.say(5);
    let mut buffer = [0; 1_500];
    let (len, _) = tap.recv_from(&mut buffer).unwrap();
    for (to, sounds) in [(near.path.port(), 0), (far_port.port(), 1), (far_port.port(), 0)] {
        tap.send_to(&buffer[..len], (HERE, to)).unwrap();
        let end = if to == far_port.port() { &mut far } else { &mut near };
        assert_eq!(count(&end.hear(), is_sound), sounds);
    }
}

#[test]
fn a_new_key_is_taken_and_packets_under_the_old_one_are_heard_until_then() {
    let (mut near, mut far) = pair(SrtpPolicy::Require);
    near.say(1);
    near.path.send(&[], near.peer);
    let before = near.negotiation.keys().unwrap();
    let mut renewed = Negotiation::new(SocketAddr::new(HERE, near.path.port()), 1);
    renewed = renewed.secured(SrtpPolicy::Require, true, [9; 32]);
    let (agreed, answer) = far.negotiation.answer(&renewed.offer()).unwrap();
    far.agree(agreed);
    near.say(2);
    assert_eq!(count(&far.hear(), is_sound), 2, "what was on its way is not lost");
    let agreed = renewed.accept_answer(&answer).unwrap();
    near.negotiation = renewed;
    near.agree(agreed);
    assert_ne!(near.negotiation.keys().unwrap(), before);
    near.say(3);
    far.say(4);
    assert_eq!((count(&far.hear(), is_sound), count(&near.hear(), is_sound)), (1, 1));
}

#[test]
fn plain_reports_are_believed_from_the_peer_alone() {
    let (mut near, mut far) = pair(SrtpPolicy::None);
    near.say(1);
    far.say(2);
    assert_eq!((near.hear().len(), far.hear().len()), (1, 1));
    assert!(near.path.tick(Duration::from_secs(30), Some(near.peer)));
    assert_eq!(count(&far.hear(), |it| *it == Received::Report), 1);
    // From 127.0.0.2 the same bytes are nobody's.
    let thief = UdpSocket::bind("127.0.0.2:0").unwrap();
    let bye = [0x80, 201, 0, 1, 0, 0, 0, 9, 0x81, 203, 0, 1, 0, 0, 0, 9];
    thief.send_to(&bye, SocketAddr::new(HERE, far.path.port())).unwrap();
    assert_eq!(far.hear(), [(Received::Junk, Vec::new())]);
}

#[test]
fn control_without_a_report_is_passed_over_where_its_sender_may_send_it() {
    // RFC 3550 section 6.7, as baresip sends it to open its NAT.
    let ping = *b"\x80\xcc\x00\x03\x00\x00\x00\x07PINGPONG";
    let (mut near, mut far) = pair(SrtpPolicy::Require);
    near.path.rtp.send_to(&ping, near.peer).unwrap();
    assert_eq!(far.hear(), [(Received::Junk, Vec::new())], "plain, where keys are agreed on");
    near.path.send_report(&ping, Some(near.peer));
    assert_eq!(far.hear(), [(Received::Passed, Vec::new())]);
}
