//! Against an independent peer, and against those who have no key.

use std::time::Duration;

use proptest::prelude::*;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

use super::*;
use crate::rtp::Packet;

fn key(suite: Suite) -> MasterKey {
    let bytes: Vec<u8> = (1_u8..).take(suite.key_bytes() + suite.salt_bytes()).collect();
    MasterKey::from_bytes(suite, &bytes).unwrap()
}

fn peer(suite: Suite) -> Context {
    let profile = match suite {
        Suite::AesCm128Sha1Tag80 => ProtectionProfile::Aes128CmHmacSha1_80,
        Suite::AesCm128Sha1Tag32 => ProtectionProfile::Aes128CmHmacSha1_32,
        Suite::AesCm256Sha1Tag80 => ProtectionProfile::Aes256CmHmacSha1_80,
        Suite::AesCm256Sha1Tag32 => ProtectionProfile::Aes256CmHmacSha1_32,
        Suite::AesGcm128 => ProtectionProfile::AeadAes128Gcm,
        Suite::AesGcm256 => ProtectionProfile::AeadAes256Gcm,
    };
    let (key, provider) = (key(suite), rtc_crypto::default_provider().unwrap());
    let windows = (Some(srtp_replay_protection(64)), Some(srtcp_replay_protection(64)));
    Context::new(key.key(), key.salt(), profile, windows.0, windows.1, provider.crypto()).unwrap()
}

fn packet(sequence: u16, ssrc: u32) -> Vec<u8> {
    let mut packet = vec![0x80, 0x08];
    packet.extend(sequence.to_be_bytes());
    packet.extend(7_u32.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend([sequence as u8; 160]);
    packet
}

fn report(ssrc: u32) -> Vec<u8> {
    [&[0x80, 201, 0, 1][..], &ssrc.to_be_bytes(), &[0x81, 202, 0, 1], &[9; 4]].concat()
}

fn sealed(sealer: &mut Sealer, plain: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 256];
    buffer[..plain.len()].copy_from_slice(plain);
    let is_rtcp = (192..=223).contains(&plain[1]);
    let len = match is_rtcp {
        true => sealer.seal_rtcp(&mut buffer, plain.len()),
        false => sealer.seal_rtp(&mut buffer, plain.len()),
    };
    buffer[..len.unwrap()].to_vec()
}

#[test]
fn each_suite_meets_an_independent_peer_over_the_wrap_of_the_sequence() {
    for suite in Suite::ALL {
        let (mut sealer, mut opener) =
            (Sealer::new(&key(suite)).unwrap(), Opener::new(&key(suite)).unwrap());
        let (mut listener, mut speaker) = (peer(suite), peer(suite));
        for step in 0..40_u16 {
            let plain = packet(65_520_u16.wrapping_add(step), 0xdead_beef);
            let ours = sealed(&mut sealer, &plain);
            assert_eq!(ours.len(), plain.len() + suite.tag_bytes());
            assert_ne!(ours[12..40], plain[12..40], "{suite:?}");
            assert_eq!(listener.decrypt_rtp(&ours).unwrap()[..], plain[..], "{suite:?} {step}");
            let mut theirs = speaker.encrypt_rtp(&plain).unwrap().to_vec();
            assert_eq!(opener.open_rtp(&mut theirs), Ok(plain.len()), "{suite:?} {step}");
            assert_eq!(theirs[..plain.len()], plain[..]);
        }
        let plain = report(0xdead_beef);
        let ours = sealed(&mut sealer, &plain);
        assert!(ours.len() <= plain.len() + MAX_OVERHEAD_BYTES);
        assert_eq!(listener.decrypt_rtcp(&ours).unwrap()[..], plain[..], "{suite:?}");
        let mut theirs = speaker.encrypt_rtcp(&plain).unwrap().to_vec();
        let mut again = theirs.clone();
        assert_eq!(opener.open_rtcp(&mut theirs), Ok(plain.len()), "{suite:?}");
        assert_eq!(theirs[..plain.len()], plain[..]);
        assert_eq!(opener.open_rtcp(&mut again), Err(Rejected::Replayed));
    }
}

#[test]
fn a_key_identifier_is_passed_over_in_every_suite() {
    for suite in Suite::ALL {
        let mut sealer = Sealer::new(&key(suite)).unwrap();
        let mut opener = Opener::new(&key(suite).with_mki_bytes(4)).unwrap();
        let (rtp, rtcp) = (packet(9, 1), report(1));
        let (mut sound, mut reports) = (sealed(&mut sealer, &rtp), sealed(&mut sealer, &rtcp));
        // Before the tag in counter mode, behind everything in Galois mode.
        let behind = |len: usize, tag: usize| if suite.is_gcm() { len } else { len - tag };
        let at = behind(sound.len(), suite.tag_bytes());
        sound.splice(at..at, [0, 0, 0, 1]);
        let at = behind(reports.len(), 10);
        reports.splice(at..at, [0, 0, 0, 1]);
        assert_eq!(opener.open_rtp(&mut sound), Ok(rtp.len()), "{suite:?}");
        assert_eq!(opener.open_rtcp(&mut reports), Ok(rtcp.len()), "{suite:?}");
        assert_eq!((&sound[..rtp.len()], &reports[..rtcp.len()]), (&rtp[..], &rtcp[..]));
    }
}

/// S10 and S13: what a stranger sends is counted by the caller, and changes nothing here.
#[test]
fn a_hundred_thousand_bad_packets_leave_the_stream_as_it_was() {
    let suite = Suite::AesCm128Sha1Tag80;
    let (mut sealer, mut opener) =
        (Sealer::new(&key(suite)).unwrap(), Opener::new(&key(suite)).unwrap());
    let mut first = sealed(&mut sealer, &packet(1, 5));
    let replay = first.clone();
    assert!(opener.open_rtp(&mut first).is_ok());
    let mut rejected = 0;
    for number in 0..100_000_u32 {
        let mut bad = replay.clone();
        match number % 4 {
            0 => {}
            1 => bad[20] ^= 1,
            2 => bad[8..12].copy_from_slice(&number.to_be_bytes()),
            _ => bad[2..4].copy_from_slice(&(number as u16).to_be_bytes()),
        }
        rejected += u32::from(opener.open_rtp(&mut bad).is_err());
    }
    assert_eq!(rejected, 100_000);
    assert_eq!(opener.known_sources(), 1);
    for sequence in 2..300 {
        let mut good = sealed(&mut sealer, &packet(sequence, 5));
        assert!(opener.open_rtp(&mut good).is_ok(), "{sequence}");
    }
}

/// A peer under one key, source after source.
struct Peer {
    suite: Suite,
    opener: Opener,
}

impl Peer {
    /// Sends the first packet of a source; gives what came of it.
    fn speaks(&mut self, ssrc: u32) -> Result<usize, Rejected> {
        let mut sealer = Sealer::new(&key(self.suite)).unwrap();
        self.opener.open_rtp(&mut sealed(&mut sealer, &packet(1, ssrc)))
    }

    fn at(&mut self, seconds: u64) {
        self.opener.tick(Duration::from_secs(seconds));
    }
}

#[test]
fn a_peer_that_changes_its_source_again_and_again_is_heard_to_the_end() {
    let suite = Suite::AesGcm256;
    let mut peer = Peer { suite, opener: Opener::new(&key(suite)).unwrap() };
    for ssrc in 0..1_000_u32 {
        peer.at(u64::from(ssrc) * 10);
        assert!(peer.speaks(ssrc).is_ok(), "{ssrc}");
        // Of those that are kept nothing is heard twice.
        for earlier in ssrc.saturating_sub(63)..=ssrc {
            assert_eq!(peer.speaks(earlier), Err(Rejected::Replayed), "{earlier} of {ssrc}");
        }
    }
    assert_eq!(peer.opener.known_sources(), 64);
}

#[test]
fn sources_that_speak_are_not_forgotten_for_others() {
    let suite = Suite::AesCm128Sha1Tag80;
    let mut peer = Peer { suite, opener: Opener::new(&key(suite)).unwrap() };
    let mut sealer = Sealer::new(&key(suite)).unwrap();
    for ssrc in 0..64 {
        assert!(peer.speaks(ssrc).is_ok());
    }
    assert_eq!(peer.speaks(64), Err(Rejected::Sources), "none has been silent");
    peer.at(20);
    let mut second = sealed(&mut sealer, &packet(2, 0));
    assert!(peer.opener.open_rtp(&mut second).is_ok());
    peer.at(30);
    assert!(peer.speaks(64).is_ok(), "room is made by one that is silent");
    assert_eq!(peer.speaks(0), Err(Rejected::Replayed), "and not by one that spoke");
}

#[test]
fn keys_are_never_shown() {
    for suite in Suite::ALL {
        let keys = Keys { ours: key(suite), theirs: key(suite) };
        let (sealer, opener) =
            (Sealer::new(&keys.ours).unwrap(), Opener::new(&keys.theirs).unwrap());
        let shown = format!("{keys:?} {sealer:?} {opener:?}");
        assert!(!shown.contains(&keys.ours.to_base64()) && !shown.contains("1, 2, 3"), "{shown}");
        let read = MasterKey::from_base64(suite, &keys.ours.to_base64());
        assert_eq!(read, Ok(keys.ours));
    }
    let cut = MasterKey::from_base64(Suite::AesGcm128, "AAAA");
    assert_eq!(cut, Err(KeyError::Length { expected: 28, got: 3 }));
    assert_eq!(MasterKey::from_base64(Suite::AesGcm128, "%"), Err(KeyError::Base64));
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes: Vec<u8>, at in 0_usize..6) {
        let mut opener = Opener::new(&key(Suite::ALL[at])).unwrap();
        prop_assert!(opener.open_rtp(&mut bytes.clone()).is_err());
        prop_assert!(opener.open_rtcp(&mut bytes.clone()).is_err());
        prop_assert_eq!(opener.known_sources(), 0);
        prop_assert!(Packet::parse(&bytes).is_err() || bytes.len() > 12);
    }
}
