//! The vectors of RFC 3711, RFC 6188 and RFC 7714, read from beside the checkout where they are.

use super::*;

fn standard(name: &str) -> Option<String> {
    let path = format!("{}/../../shared/data/sip/srtp-crypto/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).ok();
    if text.is_none() {
        println!("skipped: {path} is not there");
    }
    text
}

/// The octets that follow a label: groups of hexadecimal digits, over as many lines as are needed.
fn octets(text: &str, section: &str, label: &str, count: usize) -> Vec<u8> {
    let from = text.rfind(section).expect(section);
    // The label may stand in prose before it stands before octets.
    let found = text[from..].match_indices(label).map(|(at, _)| from + at + label.len());
    let mut digits = found.map(|at| -> String {
        let words = text[at..].split_whitespace();
        let words = words.take_while(|it| it.chars().all(|c| c.is_ascii_hexdigit()));
        words.flat_map(str::chars).take(2 * count).collect()
    });
    let digits = digits.find(|it| it.len() == 2 * count).unwrap_or_default();
    assert_eq!(digits.len(), 2 * count, "{section} {label}");
    let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal");
    (0..count).map(|it| octet(2 * it)).collect()
}

fn master(suite: Suite, key: &[u8], salt: &[u8]) -> MasterKey {
    MasterKey::from_bytes(suite, &[key, salt].concat()).expect("a key of the right length")
}

#[test]
fn counter_mode_makes_the_keystreams_of_the_standards() {
    for (file, section, suite, key_bytes) in [
        ("rfc3711.txt", "B.2.  AES-CM Test Vectors", Suite::AesCm128Sha1Tag80, 16),
        ("rfc6188.txt", "7.1.  AES-256-CM Test Cases", Suite::AesCm256Sha1Tag80, 32),
    ] {
        let Some(text) = standard(file) else { return };
        let text = text.to_lowercase();
        let section = section.to_lowercase();
        let key = octets(&text, &section, "session key:", key_bytes);
        let salt = octets(&text, &section, "session salt:", 14);
        let mut fixed = [0; 14];
        fixed.copy_from_slice(&salt);
        let mut cipher = Cipher::from_session(suite, &key, &[0; 20], fixed, 10).unwrap();
        let mut packet = vec![0; 12 + 0xff02 * 16 + 10];
        let len = packet.len() - 10;
        cipher.seal_rtp(&mut packet, (12, len), (0, 0)).unwrap();
        for (counter, block) in [
            ("f0f1f2f3f4f5f6f7f8f9fafbfcfd0001  ", 1),
            ("f0f1f2f3f4f5f6f7f8f9fafbfcfd0002  ", 2),
            ("f0f1f2f3f4f5f6f7f8f9fafbfcfdff01  ", 0xff01),
        ] {
            let expected = octets(&text, &section, counter, 16);
            assert_eq!(packet[12 + 16 * block..][..16], expected[..], "{file} {counter}");
        }
    }
}

#[test]
fn session_keys_are_derived_as_in_the_standards() {
    let Some(text) = standard("rfc3711.txt") else { return };
    let section = "B.3.  Key Derivation Test Vectors";
    let (key, salt) =
        (octets(&text, section, "master key:", 16), octets(&text, section, "master salt:", 14));
    let master = master(Suite::AesCm128Sha1Tag80, &key, &salt);
    let mut out = [0; 32];
    for (label, name, count) in [
        (LABEL_ENCRYPTION, "cipher key:", 16),
        (LABEL_SALT, "cipher salt:", 14),
        (LABEL_AUTHENTICATION, "auth key                           AES input blocks", 16),
    ] {
        derive(&master, label, &mut out).unwrap();
        assert_eq!(out[..count], octets(&text, section, name, count)[..], "{name}");
    }
    let Some(text) = standard("rfc6188.txt") else { return };
    let section = "7.2.  AES_256_CM_PRF Test Cases";
    let (key, salt) =
        (octets(&text, section, "master key:", 16), octets(&text, section, "master salt:", 14));
    let rest = octets(&text, section, "master key:  f0f04914b513f2763a1b1fa130f10e29", 16);
    let master = self::master(Suite::AesCm256Sha1Tag80, &[key, rest].concat(), &salt);
    derive(&master, LABEL_ENCRYPTION, &mut out).unwrap();
    assert_eq!(out[..16], octets(&text, section, "cipher key:", 16)[..]);
    derive(&master, LABEL_SALT, &mut out).unwrap();
    assert_eq!(out[..14], octets(&text, section, "cipher salt:", 14)[..]);
}

#[test]
fn galois_mode_seals_the_packets_of_the_standard() {
    let Some(text) = standard("rfc7714.txt") else { return };
    for (section, suite, key_bytes) in [
        ("16.1.1.  SRTP AEAD_AES_128_GCM Encryption", Suite::AesGcm128, 16),
        ("16.2.1.  SRTP AEAD_AES_256_GCM Encryption", Suite::AesGcm256, 32),
    ] {
        let plain = octets(&text, section, "Encrypting the following packet:", 50);
        let expected = octets(&text, section, "Encrypted and tagged packet:", 66);
        let mut cipher = session(&text, section, suite, key_bytes);
        let mut packet = [0; 66];
        packet[..50].copy_from_slice(&plain);
        assert_eq!(cipher.seal_rtp(&mut packet, (12, 50), (0x5501_a0b2, 0xf17b)), Ok(66));
        assert_eq!(packet[..], expected[..], "{section}");
        let (body, tag) = packet.split_at_mut(50);
        assert_eq!(cipher.open_rtp(body, tag, 12, (0x5501_a0b2, 0xf17b)), Ok(()));
        assert_eq!(body[..], plain[..], "{section}");
    }
    let section = "17.1.  SRTCP AEAD_AES_128_GCM Encryption and Tagging";
    let plain = octets(&text, section, "Encrypting the following packet:", 52);
    let expected = octets(&text, section, "Encrypted and tagged packet:", 72);
    let mut cipher = session(&text, section, Suite::AesGcm128, 16);
    let mut packet = [0; 72];
    packet[..52].copy_from_slice(&plain);
    assert_eq!(cipher.seal_rtcp(&mut packet, 52, (0x4d61_7273, 0x5d4)), Ok(72));
    assert_eq!(packet[..], expected[..]);
}

fn session(text: &str, section: &str, suite: Suite, key_bytes: usize) -> Cipher {
    let key = octets(text, section, "Key:", key_bytes);
    let mut salt = [0; 14];
    salt[..12].copy_from_slice(&octets(text, section, "salt:", 12));
    Cipher::from_session(suite, &key, &[0; 20], salt, 16).expect("a known suite")
}
