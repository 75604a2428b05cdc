//! Calls over TLS between two endpoints, and the certificates that are not believed (S36, F28).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod support;

use std::path::{Path, PathBuf};

use cordboard_sip::access::Access;
use cordboard_sip::endpoint::{
    BindError, Endpoint, EndpointConfig, LegSignal, TlsConfig, TlsError,
};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};

use support::{PATIENCE, Side, call, next, request, sdp, settled};

/// A folder of certificates that goes with the test.
struct Office {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Drop for Office {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Office {
    fn new(name: &str) -> Self {
        let name = format!("cordboard-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(&name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name.as_str());
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        std::fs::write(folder.join("ca.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Certificate and key for these names, until the end of a year.
    fn issue(&self, file: &str, names: &[&str], year: i32) -> TlsConfig {
        let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (chain, secret) = (self.at(&format!("{file}.pem")), self.at(&format!("{file}.key")));
        std::fs::write(&chain, certificate.pem()).unwrap();
        std::fs::write(&secret, key.serialize_pem()).unwrap();
        TlsConfig { certificate: Some(chain), key: Some(secret), ..TlsConfig::default() }
    }
}

async fn bound(tls: TlsConfig) -> Side {
    let any = "127.0.0.1:0".parse().ok();
    let config = EndpointConfig {
        bind_udp: any,
        bind_tls: any.filter(|_| tls.certificate.is_some()),
        tls,
        access: Access::new(["127.0.0.0/8"], ["127.0.0.0/8", "localhost"]).unwrap(),
        ..EndpointConfig::default()
    };
    Endpoint::bind(config).await.unwrap()
}

fn believing(ca: &Path) -> TlsConfig {
    TlsConfig { ca: Some(ca.to_owned()), ..TlsConfig::default() }
}

fn uri(endpoint: &Endpoint, host: &str) -> String {
    format!("sip:desk@{host}:{};transport=tls", endpoint.local_tls().unwrap().port())
}

#[tokio::test]
async fn a_call_over_tls_is_known_to_be_secure_and_hung_up_by_either_side() {
    let office = Office::new("secure");
    let own = office.issue("own", &["localhost", "127.0.0.1"], 2090);
    let (here, mut there) = (bound(believing(&office.at("ca.pem"))).await, bound(own).await);
    for (host, scheme, caller_hangs_up) in
        [("localhost", "sip", true), ("127.0.0.1", "sip", false), ("localhost", "sips", false)]
    {
        let to = uri(&there.0, host).replacen("sip:", &format!("{scheme}:"), 1);
        let to = if scheme == "sips" { to.replace(";transport=tls", "") } else { to };
        assert!(here.0.route(&to).unwrap().secure);
        let mut caller = here.0.dial(request(to)).unwrap();
        let incoming = call(&mut there.1).await;
        assert!(incoming.secure);
        let mut callee = incoming.leg;
        callee.line.answer(sdp(5000));
        assert_eq!(next(&mut caller).await, Some(LegSignal::Accepted { sdp: Some(sdp(5000)) }));
        assert_eq!(next(&mut callee).await, Some(LegSignal::Acked { sdp: None }));
        callee.line.reinvite(sdp(6000));
        assert_eq!(next(&mut caller).await, Some(LegSignal::Reinvited { sdp: Some(sdp(6000)) }));
        caller.line.accept_reinvite(sdp(7000));
        let accepted = LegSignal::ReinviteAccepted { sdp: Some(sdp(7000)) };
        assert_eq!(next(&mut callee).await, Some(accepted));
        assert_eq!(next(&mut caller).await, Some(LegSignal::Acked { sdp: None }));
        let (one, mut other) = if caller_hangs_up { (caller, callee) } else { (callee, caller) };
        one.line.hang_up(None);
        assert_eq!(next(&mut other).await, Some(LegSignal::Bye { reason: None }));
        settled(&here.0).await;
        settled(&there.0).await;
    }
    // One name, one connection; the other name was proved on another.
    assert_eq!(here.0.counters().connections, 2);
}

#[tokio::test]
async fn a_chain_a_name_and_a_date_that_are_wrong_are_refused() {
    let (office, other) = (Office::new("wrong"), Office::new("other"));
    let good = ["localhost"];
    for (own, ca, expected) in [
        (office.issue("a", &good, 2090), other.at("ca.pem"), "UnknownIssuer"),
        (office.issue("b", &["elsewhere.example"], 2090), office.at("ca.pem"), "not valid for"),
        (office.issue("c", &good, 2021), office.at("ca.pem"), "expired"),
    ] {
        let (here, mut there) = (bound(believing(&ca)).await, bound(own).await);
        let mut caller = here.0.dial(request(uri(&there.0, "localhost"))).unwrap();
        match next(&mut caller).await {
            Some(LegSignal::Refused { code: 503, reason, .. }) => {
                assert!(reason.starts_with("tls: ") && reason.contains(expected), "{reason}");
            }
            other => panic!("{expected}: {other:?}"),
        }
        assert_eq!(next(&mut caller).await, None);
        assert!(there.1.try_recv().is_err());
        assert_eq!(here.0.counters().connections, 0);
    }
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_not_heard_where_one_is_asked_for() {
    let office = Office::new("mutual");
    let ca = Some(office.at("ca.pem"));
    let own = office.issue("own", &["localhost"], 2090);
    let mut there = bound(TlsConfig { client_ca: ca.clone(), ..own }).await;
    let stranger = bound(believing(&office.at("ca.pem"))).await;
    let mut caller = stranger.0.dial(request(uri(&there.0, "localhost"))).unwrap();
    let refused = next(&mut caller).await;
    assert!(matches!(refused, Some(LegSignal::Refused { .. })), "{refused:?}");
    let known = TlsConfig { ca, ..office.issue("known", &["known.example"], 2090) };
    let known = bound(known).await;
    let _caller = known.0.dial(request(uri(&there.0, "localhost"))).unwrap();
    assert!(call(&mut there.1).await.secure);
    assert!(there.1.try_recv().is_err());
}

#[tokio::test]
async fn new_certificates_are_read_and_broken_ones_leave_the_old() {
    let office = Office::new("reload");
    let own = office.issue("own", &["localhost"], 2030);
    let here = bound(believing(&office.at("ca.pem"))).await;
    let mut there = bound(own.clone()).await;
    let first = there.0.certificate_expiry_unix_s().unwrap();
    office.issue("own", &["localhost"], 2040);
    there.0.reload_tls().unwrap();
    let second = there.0.certificate_expiry_unix_s().unwrap();
    assert!(second - first > 9 * 365 * 86_400, "{first} {second}");

    std::fs::write(own.certificate.as_ref().unwrap(), "nothing").unwrap();
    let refused = there.0.reload_tls().unwrap_err();
    assert!(matches!(refused, TlsError::NoCertificate { .. }), "{refused}");
    assert_eq!(there.0.certificate_expiry_unix_s(), Some(second));
    let _caller = here.0.dial(request(uri(&there.0, "localhost"))).unwrap();
    call(&mut there.1).await;

    // The files that change are found without being told.
    office.issue("own", &["localhost"], 2050);
    let mut beat = tokio::time::interval(std::time::Duration::from_millis(50));
    let read = async {
        while there.0.certificate_expiry_unix_s() == Some(second) {
            beat.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, read).await.expect("read in time");
}

#[tokio::test]
async fn files_that_make_no_sense_are_named() {
    let office = Office::new("files");
    let own = office.issue("own", &["localhost"], 2090);
    let other = office.issue("other", &["localhost"], 2090);
    let bind = async |tls: TlsConfig| {
        let any = "127.0.0.1:0".parse().ok();
        let config = EndpointConfig { bind_tls: any, tls, ..EndpointConfig::default() };
        Endpoint::bind(config).await.map(drop).unwrap_err()
    };
    let none = bind(TlsConfig::default()).await;
    assert!(matches!(none, BindError::NoCertificate { .. }), "{none}");
    let half = bind(TlsConfig { key: None, ..own.clone() }).await;
    assert!(matches!(half, BindError::Tls(TlsError::Half)), "{half}");
    let nowhere = Some(office.at("nowhere.pem"));
    let missing = bind(TlsConfig { certificate: nowhere, ..own.clone() }).await;
    assert!(missing.to_string().contains("nowhere.pem"), "{missing}");
    let unfit = bind(TlsConfig { key: other.key, ..own }).await;
    assert!(matches!(unfit, BindError::Tls(TlsError::Unfit(_))), "{unfit}");
}
