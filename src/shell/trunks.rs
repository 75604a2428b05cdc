//! The trunks and certificates of the settings, as the endpoint wants them.

use std::path::PathBuf;
use std::time::Duration;

use cordboard_sip::digest::Credentials;
use cordboard_sip::endpoint::{Endpoint, TlsConfig};
use cordboard_sip::trunk::Trunk;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::settings::{SipSettings, TrunkSettings};

/// So long before its end a certificate is warned of.
const WARN_BEFORE_S: i64 = 14 * 86_400;
/// How often the certificate's end is looked at.
const LOOK: Duration = Duration::from_secs(6 * 3_600);

/// A file with a trunk's secret that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("trunk {trunk:?}: password_file {path} cannot be read: {source}; set it to one that can")]
pub struct SecretUnreadable {
    /// The trunk.
    pub trunk: String,
    /// The file.
    pub path: PathBuf,
    /// What the disk said.
    pub source: std::io::Error,
}

/// Reads the trunks, and the files with their secrets.
pub(super) fn trunks(settings: &[TrunkSettings]) -> Result<Vec<Trunk>, SecretUnreadable> {
    settings.iter().map(trunk).collect()
}

fn trunk(settings: &TrunkSettings) -> Result<Trunk, SecretUnreadable> {
    let password = match (&settings.password, &settings.password_file) {
        (Some(password), _) => Some(password.expose().to_owned()),
        (None, Some(path)) => {
            let unreadable = |source| SecretUnreadable {
                trunk: settings.name.clone(),
                path: path.clone(),
                source,
            };
            let text = std::fs::read_to_string(path).map_err(unreadable)?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        (None, None) => None,
    };
    let credentials = settings.username.clone().zip(password);
    let seconds = |it: u64| (it > 0).then(|| Duration::from_secs(it));
    Ok(Trunk {
        carriage: settings.transport.into(),
        from: settings.from.clone(),
        credentials: credentials.map(|(name, secret)| Credentials::new(name, secret)),
        from_uri: settings.from_uri.clone(),
        realm: settings.realm.clone(),
        register: settings.register.then(|| Duration::from_secs(settings.expires_s)),
        srtp: settings.srtp.into(),
        calls_max: settings.calls_max,
        numbers: settings.numbers.clone(),
        prefix: settings.prefix.clone(),
        keepalive: seconds(settings.keepalive_s),
        ..Trunk::named(&settings.name, settings.hosts.clone())
    })
}

/// The files of TLS.
pub(super) fn tls(settings: &SipSettings) -> TlsConfig {
    TlsConfig {
        certificate: settings.tls_certificate.clone(),
        key: settings.tls_key.clone(),
        ca: settings.tls_ca.clone(),
        client_ca: settings.tls_client_ca.clone(),
    }
}

/// Warns of a certificate that ends soon, until the service stops.
pub(super) fn watch_certificate(endpoint: Endpoint, stop: CancellationToken) {
    let mut looks = tokio::time::interval(LOOK);
    tokio::spawn(stop.run_until_cancelled_owned(async move {
        loop {
            looks.tick().await;
            let now_s = i64::try_from(clock::wall_unix_ms() / 1_000).unwrap_or(i64::MAX);
            let left_s = endpoint.certificate_expiry_unix_s().map(|it| it - now_s);
            if let Some(left_s) = left_s.filter(|it| *it < WARN_BEFORE_S) {
                let days_left = left_s.div_euclid(86_400);
                tracing::warn!(days_left, "sip.tls_certificate ends soon: replace the file");
            }
        }
    }));
}
