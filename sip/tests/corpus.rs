//! The readers over collected descriptions, keys and attacks in `../shared/data`, when there.
#![expect(clippy::unwrap_used, reason = "a test that cannot read its data has failed")]

use std::path::{Path, PathBuf};
use std::time::Duration;

use cordboard_sip::dtmf::KeyReceiver;
use cordboard_sip::negotiation::{Negotiation, Refusal};
use cordboard_sip::rtp::{NotRtp, Packet};
use cordboard_sip::sdp::{Description, SdpError};
use cordboard_sip::session_timer::{Due, Expires, Limits, SessionTimer, seconds};

/// The folder of that name below the shared data; where there is none, that is said.
fn corpus(name: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    let shared = std::env::var_os("CORDBOARD_SHARED").map_or_else(beside, PathBuf::from);
    let folder = shared.join("data/sip").join(name);
    if !folder.is_dir() {
        eprintln!("passed over: {} is not there", folder.display());
        return None;
    }
    Some(folder)
}

/// All files below a folder, with their names.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            found.push((name, std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}

/// Examples of RFCs are on hosts with names; here with an address, for we resolve none.
fn addressed(text: &str) -> String {
    let line = |it: &str| {
        if it.starts_with("c=") { "c=IN IP4 192.0.2.9\r\n".to_owned() } else { format!("{it}\r\n") }
    };
    text.lines().map(line).collect()
}

fn ours() -> Negotiation {
    Negotiation::new("192.0.2.1:4000".parse().unwrap(), 1)
}

#[test]
fn collected_descriptions_are_answered_section_by_section() {
    let Some(folder) = corpus("sdp") else { return };
    let (mut read, mut answered) = (0, 0);
    let texts = files(&folder);
    for (name, bytes) in &texts {
        let text = addressed(&String::from_utf8_lossy(bytes));
        let Ok(description) = Description::parse(&text) else { continue };
        read += 1;
        if let Ok((agreed, answer)) = ours().answer(&text) {
            answered += 1;
            let ours = Description::parse(&answer).unwrap();
            assert_eq!(ours.sections.len(), description.sections.len(), "{name}");
            let live = ours.sections.iter().filter(|it| it.port != 0).count();
            assert_eq!(live, 1, "{name}");
            assert!((10..=60).contains(&agreed.ptime_ms), "{name}");
        }
    }
    eprintln!("{read} of {} descriptions read, {answered} answered", texts.len());
    assert!(read * 10 >= texts.len() * 9, "{read} of {}", texts.len());
    assert!(answered >= 10, "{answered}");
}

#[test]
fn descriptions_made_to_hurt_are_refused_or_tamed() {
    let Some(folder) = corpus("sdp-bombs") else { return };
    let too_many = |what, limit| Err(SdpError::TooLarge { what, limit }.into());
    for (name, bytes) in files(&folder) {
        let text = String::from_utf8_lossy(&bytes);
        let got = ours().answer(&text).map(|(agreed, _)| agreed.ptime_ms);
        let expected = match name.as_str() {
            "2000_candidates.sdp" | "5000_mlines.sdp" => too_many("bytes", 64 * 1024),
            "60k_attr.sdp" | "m_with_2000_pts.sdp" | "nested_group.sdp" | "redos_fmtp.sdp" => {
                too_many("line bytes", 4096)
            }
            "dup_codec_names_500.sdp" => too_many("formats", 64),
            "c_broadcast.sdp" | "c_metadata_ssrf.sdp" => Err(Refusal::Address),
            "crypto_100.sdp" => too_many("crypto lines", 16),
            "crypto_downgrade_null.sdp" => Err(Refusal::Profile),
            "avp_with_crypto.sdp" => Err(Refusal::Downgrade),
            _ => Ok(20),
        };
        assert_eq!(got, expected, "{name}");
    }
}

#[test]
fn recorded_keys_are_heard_exactly_once() {
    let Some(folder) = corpus("dtmf/rfc4733") else { return };
    let vectors = files(&folder);
    for (name, bytes) in &vectors {
        let text = String::from_utf8_lossy(bytes);
        let after = |key: &str| text.split_once(key).unwrap().1;
        let expected = after("\"expect\": \"").split('"').next().unwrap();
        let packets = after("\"packets_b64\": [").split(']').next().unwrap();
        let mut receiver = KeyReceiver::default();
        let mut heard = String::new();
        let mut now = Duration::ZERO;
        for packet in packets.split('"').skip(1).step_by(2).map(base64) {
            now += Duration::from_millis(20);
            heard.extend(receiver.poll(now).map(|it| it.key.sign()));
            let packet = Packet::parse(&packet).unwrap();
            let tell = |it: cordboard_sip::dtmf::Digit| heard.push(it.key.sign());
            receiver.packet(now, packet.timestamp, packet.payload, tell);
        }
        heard.extend(receiver.poll(now + Duration::from_secs(1)).map(|it| it.key.sign()));
        assert_eq!(heard, expected, "{name}");
    }
    eprintln!("{} key vectors", vectors.len());
}

#[test]
fn media_made_to_hurt_is_told_apart() {
    let Some(folder) = corpus("media-attacks") else { return };
    for (name, bytes) in files(&folder) {
        let read = Packet::parse(&bytes);
        let expected = match name.as_str() {
            "rtp_1byte.bin" | "rtp_11bytes.bin" | "rtp_cc15_short.bin" | "rtp_pad_gt_len.bin" => {
                Some(NotRtp::CutShort)
            }
            "rtp_v0.bin" | "rtp_v1.bin" => Some(NotRtp::Version),
            // Extensions whose elements lie inside a length that is true: skipped whole.
            "rtp_ext_1byte_len_overflow.bin" | "rtp_ext_2byte_len_overflow.bin" => {
                Some(NotRtp::Empty)
            }
            "stun_username_64k.bin" => Some(NotRtp::TooLong),
            it if it.starts_with("stun") => Some(NotRtp::Version),
            _ => None,
        };
        if let Some(expected) = expected {
            assert_eq!(read, Err(expected), "{name}");
        }
        if name.starts_with("dtmf") {
            let packet = read.unwrap();
            let mut receiver = KeyReceiver::default();
            let mut digits = 0;
            let tell = |_| digits += 1;
            receiver.packet(Duration::ZERO, packet.timestamp, packet.payload, tell);
            digits += usize::from(receiver.poll(Duration::from_secs(1)).is_some());
            let known = !matches!(name.as_str(), "dtmf_2bytes.bin" | "dtmf_event255.bin");
            assert_eq!(digits, usize::from(known), "{name}");
        }
    }
}

/// RFC 4648 §4, of what is known to be well-formed.
fn base64(text: &str) -> Vec<u8> {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut bytes) = (0_u32, 0, Vec::new());
    for sign in text.bytes().filter(|it| *it != b'=') {
        let value = alphabet.iter().position(|it| *it == sign).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

#[test]
fn the_session_timer_goes_through_the_standards_own_example() {
    let Some(folder) = corpus("sip-callflows/rfc4028/12.3") else { return };
    let texts = files(&folder);
    let field = |index: usize, name: &str| {
        let text = String::from_utf8_lossy(&texts[index].1).into_owned();
        let mut lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| *found == name).map(|(_, value)| value.to_owned())
    };
    let wanted = field(0, "Session-Expires").and_then(|it| Expires::parse(&it)).unwrap();
    let mut alice =
        SessionTimer::new(Limits { expires_s: wanted.interval_s, min_se_s: wanted.interval_s });
    // Bob's proxy refuses with a Min-SE; Alice asks again, and once more for the second proxy.
    assert!(alice.raise(field(1, "Min-SE").and_then(|it| seconds(&it))));
    assert_eq!(Some(alice.proposal().to_string()), field(2, "Session-Expires"));
    assert_eq!(Some(alice.min_se_s().to_string()), field(2, "Min-SE"));
    assert!(alice.raise(field(3, "Min-SE").and_then(|it| seconds(&it))));
    assert_eq!(Some(alice.proposal().to_string()), field(3, "Session-Expires"));
    let granted = field(4, "Session-Expires").and_then(|it| Expires::parse(&it));
    alice.accepted(Duration::ZERO, granted);
    assert_eq!(alice.poll(Duration::from_secs(1_999)), None);
    assert_eq!(alice.poll(Duration::from_secs(2_000)), Some(Due::Refresh));
    alice.refreshing();
    assert_eq!(Some(alice.proposal().to_string()), field(5, "Session-Expires"));
    let granted = field(6, "Session-Expires").and_then(|it| Expires::parse(&it));
    alice.accepted(Duration::from_secs(2_001), granted);
    assert_eq!(alice.poll(Duration::from_secs(4_000)), None);
}
