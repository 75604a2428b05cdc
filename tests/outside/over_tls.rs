//! SIP over TLS with baresip, whose TLS is OpenSSL's: it rings us, we ring it, and a certificate
//! that nobody signed for us is refused.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cordboard::replay::{Phone, PhoneError, Script};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

use crate::support::{Baresip, Companion, PATIENCE, Serving, has, has_srtp, pass, settings, until};

/// What a phone says that has nothing to say; where its sound ends, it hangs up.
fn nothing() -> Vec<f32> {
    vec![0.0; 60 * 8_000]
}

/// Writes `ca.pem`, and `own.pem` with `own.key` beside it for this machine's address; both in
/// `both.pem`.
fn certificates(folder: &Path) {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Cordboard test root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let own = params.signed_by(&key, &issuer).unwrap();
    let both = format!("{}{}", own.pem(), key.serialize_pem());
    for (name, text) in [
        ("ca.pem", issuer.pem()),
        ("own.pem", own.pem()),
        ("own.key", key.serialize_pem()),
        ("both.pem", both),
    ] {
        std::fs::write(folder.join(name), text).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_rung_over_tls_and_only_if_its_certificate_is_believed() {
    if !has("baresip", "baresip-core") {
        return;
    }
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let mut phone =
        Baresip::start_with_tls("ada", &nothing(), &folder.path().join("both.pem")).await;
    let place = |changes: &str| {
        let config = settings(folder.path(), changes);
        let mut command = Command::new(env!("CARGO_BIN_EXE_cordboard"));
        command.args(["call", &phone.tls_uri, "--route", "short", "-c"]).arg(config);
        Companion::start(&mut command, &folder.path().join("call.log"))
    };

    let mut program = place("");
    let status = until("the end of the command", async || program.ended()).await;
    let log = std::fs::read_to_string(folder.path().join("call.log")).unwrap();
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("UnknownIssuer"), "{log}");

    // It hangs up over a connection of its own, to where we listen.
    let at = |name: &str| folder.path().join(name).display().to_string();
    let program = place(&format!(
        "[sip]\ntls_ca = \"{}\"\nlisten_tls = \"127.0.0.1:0\"\n\
         tls_certificate = \"{}\"\ntls_key = \"{}\"",
        at("ca.pem"),
        at("own.pem"),
        at("own.key"),
    ));
    until("sound at the phone", async || phone.is_talking().then_some(())).await;
    phone.command("hangup", "").await;
    assert_eq!(program.said("the call is over: "), "bye");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_rings_us_over_tls() {
    if !has("baresip", "baresip-core") {
        return;
    }
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let changes = format!(
        "[sip]\nlisten_tls = \"127.0.0.1:0\"\ntls_certificate = \"{}\"\ntls_key = \"{}\"",
        at("own.pem"),
        at("own.key"),
    );
    let service = Serving::start(&changes);
    let tls = service.tls.unwrap();
    let mut phone =
        Baresip::start_with_tls("bert", &nothing(), &folder.path().join("both.pem")).await;
    phone.command("dial", &format!("sip:short@{tls};transport=tls")).await;
    until("sound at the phone", async || phone.is_talking().then_some(())).await;
    phone.command("hangup", "").await;
    let call = service.api.ended_call_of("bert").await;
    assert_eq!(call["cause"], "bye", "{call}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_that_requires_it_is_spoken_to_in_secured_sound_alone() {
    if !has("baresip", "baresip-core") || !has_srtp() {
        return;
    }
    let folder = TempDir::new().unwrap();
    certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let service = Serving::start(&format!(
        "[sip]\nno_media_ask_s = 1\nno_media_end_s = 3\n\
         listen_tls = \"127.0.0.1:0\"\ntls_certificate = \"{}\"\ntls_key = \"{}\"\n\
         [[trunk]]\nname = \"carrier\"\nhosts = [\"127.0.0.1:9\"]\ntransport = \"tls\"\n\
         from = [\"127.0.0.1\"]\nsrtp = \"require\"\nkeepalive_s = 0",
        at("own.pem"),
        at("own.key"),
    ));

    let phone = Phone::bind("127.0.0.1:0".parse().unwrap(), 30_000..=30_999).await.unwrap();
    let rung = phone.ring(&service.uri("short"), Script::new([]), PATIENCE).await;
    assert!(matches!(rung, Err(PhoneError::Refused { code: 488 })), "{rung:?}");

    let both = folder.path().join("both.pem");
    let mut phone = Baresip::secured_with_tls("cleo", &nothing(), &both).await;
    let tls = service.tls.unwrap();
    phone.command("dial", &format!("sip:short@{tls};transport=tls")).await;
    until("sound at the phone", async || phone.is_talking().then_some(())).await;
    pass(Duration::from_secs(1)).await;
    // Had it hung up, it would have dropped its keys and told us once more in plain (RTCP BYE).
    drop(phone);
    let call = service.api.ended_call_of("cleo").await;
    let timeline = service.api.timeline(call["id"].as_str().unwrap()).await;
    let media = timeline.iter().find(|entry| entry["what"] == "media").expect("it had sound");
    // Plain packets on a secured leg are garbage; the phone plays none of ours either. It pings
    // with one plain control packet (an APP, RFC 3550 section 6.7) before it has the keys.
    let count = |what: &str| media[what].as_u64().unwrap_or(u64::MAX);
    assert!(count("received") > 20 && count("garbage") <= 1, "{media}");
    let figures = service.api.text("/metrics").await;
    for line in [
        "cordboard_trunk_up{trunk=\"carrier\"} ",
        "cordboard_trunk_full_total{trunk=\"carrier\"} 0\n",
        "cordboard_sip_requests_refused_total{why=\"banned\"} 0\n",
        "cordboard_sip_requests_refused_total{why=\"shed\"} 0\n",
        "cordboard_sip_banned_sources 0\n",
    ] {
        assert!(figures.contains(line), "no {line} in {figures}");
    }
    assert!(figures.contains("\ncordboard_certificate_expiry_seconds "), "{figures}");
}
