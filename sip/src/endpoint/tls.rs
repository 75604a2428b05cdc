//! SIP over TLS (RFC 3261 §26.3, RFC 5922): our certificate, theirs verified, connections known.
//!
//! rsipstack is given finished connections only. It would dial by itself, with no trust anchor and
//! the process's own provider: every request finds its connection here before it goes there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rsipstack::sip::{Host, Request, Scheme, Transport};
use rsipstack::transport::tls::TlsConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_util::sync::CancellationToken;

use super::Core;
use super::dialog::uri_transport;
use crate::certificate::not_after_unix_s;

/// How long a handshake may take, theirs or ours.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Peers whose proved name is remembered.
const MOST_KNOWN: usize = 512;

/// Files of TLS, in PEM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsConfig {
    /// Our certificate, with those between it and the root; needed to listen.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
    /// Roots that are believed beside those of the web.
    pub ca: Option<PathBuf>,
    /// Roots of callers: where set, a caller without a certificate of theirs is not heard.
    pub client_ca: Option<PathBuf>,
}

impl TlsConfig {
    /// Reads the files as [`super::Endpoint::bind`] does; gives when our certificate, or one
    /// between it and its root, expires, in seconds since 1970.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn check(&self) -> Result<Option<i64>, TlsError> {
        Ok(load(self)?.expiry_unix_s)
    }
}

/// Why files of TLS are of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Not there, or not PEM.
    #[error("misconfigured: {path} cannot be read as PEM: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// No certificate in it.
    #[error("misconfigured: {path} holds no certificate; give a file in PEM")]
    NoCertificate {
        /// Which.
        path: PathBuf,
    },
    /// One of certificate and key is missing.
    #[error("misconfigured: tls needs both a certificate and its key")]
    Half,
    /// They do not fit, or are of a kind that is not known.
    #[error("misconfigured: certificate and key are refused: {0}")]
    Unfit(#[from] rustls::Error),
    /// The roots of callers make no sense.
    #[error("misconfigured: the client ca is refused: {0}")]
    ClientCa(#[from] rustls::server::VerifierBuilderError),
}

/// What the files said, when they were last read.
struct Loaded {
    server: Option<Arc<ServerConfig>>,
    client: Arc<ClientConfig>,
    expiry_unix_s: Option<i64>,
    stamps: Vec<Option<SystemTime>>,
}

/// See the module.
pub(super) struct Tls {
    config: TlsConfig,
    loaded: RwLock<Arc<Loaded>>,
    /// By address and the name that was proved there.
    known: Mutex<HashMap<(SocketAddr, String), SipConnection>>,
    /// Connections that came in and stand.
    greeted: AtomicUsize,
}

/// A connection that came in, for as long as it stands.
pub(super) struct Greeted<'c> {
    tls: &'c Tls,
    broken: CancellationToken,
}

impl Greeted<'_> {
    /// Waits for its end.
    pub(super) async fn over(self) {
        self.broken.cancelled().await;
    }
}

impl Drop for Greeted<'_> {
    fn drop(&mut self) {
        self.tls.greeted.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Tls {
    pub(super) fn open(config: TlsConfig) -> Result<Self, TlsError> {
        let loaded = RwLock::new(Arc::new(load(&config)?));
        Ok(Self { config, loaded, known: Mutex::default(), greeted: AtomicUsize::new(0) })
    }

    /// Reads the files again; where they make no sense, what was read before stays.
    pub(super) fn reload(&self) -> Result<(), TlsError> {
        let loaded = Arc::new(load(&self.config)?);
        *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = loaded;
        Ok(())
    }

    /// Whether a file has changed since it was read.
    pub(super) fn has_changed(&self) -> bool {
        self.loaded().stamps != stamps(&self.config)
    }

    pub(super) fn expiry_unix_s(&self) -> Option<i64> {
        self.loaded().expiry_unix_s
    }

    /// Connections that came in and stand.
    pub(super) fn greeted(&self) -> usize {
        self.greeted.load(Ordering::Acquire)
    }

    pub(super) fn has_certificate(&self) -> bool {
        self.loaded().server.is_some()
    }

    fn loaded(&self) -> Arc<Loaded> {
        Arc::clone(&self.loaded.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A connection that stands, to this address and verified under this name.
    fn standing(&self, name: &str, address: SocketAddr) -> Option<SipConnection> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&(address, name.to_owned())).filter(|it| is_alive(it)).cloned()
    }

    /// The name under which this address was last verified.
    fn name_of(&self, address: SocketAddr) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.keys().find(|it| it.0 == address).map(|it| it.1.clone())
    }

    fn remember(&self, name: &str, address: SocketAddr, connection: &SipConnection) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_KNOWN {
            known.retain(|_, it| is_alive(it));
        }
        if known.len() < MOST_KNOWN {
            known.insert((address, name.to_owned()), connection.clone());
        }
    }
}

/// The connection to somebody, by name: the one that stands, or a new one, or why not.
pub(super) async fn connect(
    core: &Core,
    name: &str,
    address: SocketAddr,
) -> Result<SipConnection, String> {
    if let Some(connection) = core.tls.standing(name, address) {
        return Ok(connection);
    }
    let expected = ServerName::try_from(name.to_owned());
    let expected = expected.map_err(|_| format!("tls: `{name}` is no name of a server"))?;
    let client = Arc::clone(&core.tls.loaded().client);
    let dialling = async {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        TlsConnector::from(client).connect(expected, stream).await
    };
    let stream = match tokio::time::timeout(HANDSHAKE, dialling).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::warn!(%address, name, %error, "tls to a peer was refused");
            return Err(format!("tls: {error}"));
        }
        Err(_) => return Err("tls: no handshake in time".to_owned()),
    };
    let remote = SipAddr { r#type: Some(Transport::Tls), addr: address.into() };
    let token = Some(core.stop.child_token());
    let connection = TlsConnection::from_client_stream(stream, remote, token).await;
    let connection = SipConnection::Tls(connection.map_err(|error| format!("tls: {error}"))?);
    core.stack.transport_layer.add_connection(connection.clone());
    core.tls.remember(name, address, &connection);
    Ok(connection)
}

/// The connection that a request needs where it is to go over TLS and has none.
pub(super) async fn connection_for(
    core: &Core,
    request: &Request,
    destination: Option<&SipAddr>,
) -> Result<Option<SipConnection>, String> {
    let uri = request.destination();
    let over_tls = match destination {
        Some(it) => it.r#type == Some(Transport::Tls),
        None => uri_transport(&uri) == Transport::Tls,
    };
    if !over_tls {
        return Ok(None);
    }
    let address = match destination.and_then(|it| it.get_socketaddr().ok()) {
        Some(address) => address,
        None => {
            let port = uri.host_with_port.port.map_or(5061, |it| it.value());
            let host = uri.host_with_port.host.to_string();
            let found = core.resolver.addresses(&host, port).await;
            *found.first().ok_or_else(|| format!("tls: `{host}` has no address"))?
        }
    };
    let name = core.tls.name_of(address).unwrap_or_else(|| match &uri.host_with_port.host {
        Host::Domain(name) => name.to_string(),
        Host::IpAddr(_) => address.ip().to_string(),
    });
    connect(core, &name, address).await.map(Some)
}

/// Whether an address asks for TLS.
pub(super) fn is_secure(uri: &rsipstack::sip::Uri) -> bool {
    uri.scheme == Some(Scheme::Sips) || uri_transport(uri) == Transport::Tls
}

/// Completes the handshake of a connection that came in. rsipstack reads it: its own connection
/// over TLS gives its reader to nobody else.
pub(super) async fn greet<'c>(
    core: &'c Core,
    stream: TcpStream,
    (local, remote): (SipAddr, SocketAddr),
    token: CancellationToken,
) -> Option<Greeted<'c>> {
    let server = core.tls.loaded().server.clone()?;
    let greeting = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(server).accept(stream)).await;
    let stream = match greeting.ok()? {
        Ok(stream) => stream,
        Err(error) => {
            tracing::info!(peer = %remote.ip(), %error, "a tls handshake went wrong");
            return None;
        }
    };
    let remote = SipAddr { r#type: Some(Transport::Tls), addr: remote.into() };
    let broken = token.clone();
    let connection = TlsConnection::from_server_stream(stream, local, remote, Some(token)).await;
    let connection = SipConnection::Tls(connection.ok()?);
    core.tls.greeted.fetch_add(1, Ordering::AcqRel);
    core.stack.transport_layer.add_connection(connection);
    Some(Greeted { tls: &core.tls, broken })
}

fn is_alive(connection: &SipConnection) -> bool {
    connection.cancel_token().is_none_or(|it| !it.is_cancelled())
}

fn load(config: &TlsConfig) -> Result<Loaded, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let stamps = stamps(config);
    let own = match (&config.certificate, &config.key) {
        (Some(certificate), Some(key)) => Some((certificates(certificate)?, read_key(key)?)),
        (None, None) => None,
        _ => return Err(TlsError::Half),
    };
    let mut roots = RootCertStore::from_iter(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    if let Some(path) = &config.ca {
        add_roots(&mut roots, path)?;
    }
    let client = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let expiry_unix_s = own
        .as_ref()
        .and_then(|(chain, _)| chain.iter().filter_map(|it| not_after_unix_s(it)).min());
    let client = match &own {
        Some((chain, key)) => client.with_client_auth_cert(chain.clone(), key.clone_key())?,
        None => client.with_no_client_auth(),
    };
    let server = match own {
        Some((chain, key)) => {
            let server = ServerConfig::builder_with_provider(Arc::clone(&provider))
                .with_safe_default_protocol_versions()?;
            let server = match &config.client_ca {
                Some(path) => {
                    let mut callers = RootCertStore::empty();
                    add_roots(&mut callers, path)?;
                    let verifier =
                        WebPkiClientVerifier::builder_with_provider(callers.into(), provider);
                    server.with_client_cert_verifier(verifier.build()?)
                }
                None => server.with_no_client_auth(),
            };
            Some(Arc::new(server.with_single_cert(chain, key)?))
        }
        None => None,
    };
    Ok(Loaded { server, client: Arc::new(client), expiry_unix_s, stamps })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    let found = CertificateDer::pem_file_iter(path).map_err(unreadable)?;
    let found = found.collect::<Result<Vec<_>, _>>().map_err(unreadable)?;
    if found.is_empty() {
        return Err(TlsError::NoCertificate { path: path.to_owned() });
    }
    Ok(found)
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let unreadable = |source| TlsError::Unreadable { path: path.to_owned(), source };
    PrivateKeyDer::from_pem_file(path).map_err(unreadable)
}

fn add_roots(roots: &mut RootCertStore, path: &Path) -> Result<(), TlsError> {
    for certificate in certificates(path)? {
        roots.add(certificate)?;
    }
    Ok(())
}

fn stamps(config: &TlsConfig) -> Vec<Option<SystemTime>> {
    let TlsConfig { certificate, key, ca, client_ca } = config;
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|it| it.modified()).ok();
    [certificate, key, ca, client_ca].map(|it| it.as_ref().and_then(changed)).to_vec()
}
