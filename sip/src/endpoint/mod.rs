//! Calls over UDP, TCP and TLS (RFC 3261): the one place that knows rsipstack and tokio.
//!
//! rsipstack carries transports and transactions. Dialogs are ours, one task for each leg, because
//! its dialog layer leaves a re-INVITE that overtakes the ACK unanswered, answers a CANCEL with
//! another tag than it rang with, and cannot say `Retry-After`. A leg ends with its task; nothing
//! is kept for it afterwards but what transactions owe to retransmissions, for 64·T1.
//!
//! ```text
//!  socket ─► doorman ─┬─► rsipstack ─► usher ─► dispatch ─┬─► Incoming { leg } ─► you
//!  connection ─► stream ┘                                 └─► the leg's task ◄─ Line (commands)
//!                                                                   └─► LegSignal ─► you
//! ```
//!
//! Doorman and stream ask the gate what a message is and whether its source is listened to; the
//! usher answers, without keeping anything, whom we do not serve and what there is no room for.
//!
//! Absent: media, transfer; being a registrar, and challenging others.

mod addresses;
mod calling;
mod carrier;
mod challenge;
mod confined;
mod dialog;
mod dispatch;
mod doorman;
mod early;
mod established;
mod gate;
mod guests;
mod incoming;
mod line;
mod outgoing;
mod pump;
mod refresh;
mod resolver;
mod stream;
mod tcp;
mod tls;
mod trace;
mod upkeep;
mod usher;
mod wire;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use ipnet::IpNet;
use rsipstack::EndpointBuilder;
use rsipstack::sip::prelude::HeadersExt;
use rsipstack::sip::{Request, Transport};
use rsipstack::transaction::endpoint::{EndpointInnerRef, EndpointOption};
use rsipstack::transport::TransportLayer;
use rsipstack::transport::udp::UdpConnection;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use self::addresses::Addresses;
use self::carrier::{Carrier, TrunkCall};
pub use self::carrier::{Route, TrunkState};
use self::confined::Kept;
use self::doorman::Doorman;
use self::gate::Gate;
use self::guests::Guests;
use self::line::Input;
pub use self::line::{Incoming, Leg, LegSignal, Line};
pub use self::outgoing::{DialError, DialRequest};
use self::resolver::Resolver;
use self::tls::Tls;
pub use self::tls::{TlsConfig, TlsError};
use self::trace::Tracer;
use self::usher::Usher;
use crate::access::Access;
use crate::session_timer::Limits;
use crate::trunk::Trunk;

/// T1 of RFC 3261 §17.1.1.1: an estimate of the round trip.
pub const T1: Duration = Duration::from_millis(500);
/// Calls that ring and have not been taken off the channel yet; more are answered 503.
const UNTAKEN_CALLS: usize = 256;
/// `Retry-After` where the channel of ringing calls is full.
const BUSY_RETRY_AFTER_S: u32 = 5;
/// How long rsipstack may keep a ringing INVITE (its Timer C); the caller of `dial` has the
/// patience of its own, and this is far beyond it.
const RING_LIMIT: Duration = Duration::from_secs(900);
/// A connection without a byte for this long is given up.
const STREAM_IDLE: Duration = Duration::from_secs(3600);

/// Where to listen, as whom, and whom to serve.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// UDP address; port 0 takes a free one.
    pub bind_udp: Option<SocketAddr>,
    /// TCP address; port 0 takes a free one.
    pub bind_tcp: Option<SocketAddr>,
    /// TLS address; port 0 takes a free one. Needs a certificate.
    pub bind_tls: Option<SocketAddr>,
    /// Certificates, ours and those that are believed.
    pub tls: TlsConfig,
    /// The carriers, the preferred first.
    pub trunks: Vec<Trunk>,
    /// Name servers to ask; those of the system where none.
    pub name_servers: Vec<SocketAddr>,
    /// Address that peers reach us at, where that is not the one bound (address translation).
    pub advertised: Option<IpAddr>,
    /// Whom we serve and whom we may ring.
    pub access: Access,
    /// Whether nothing at all is sent but to addresses that `access` knows, whatever contacts and
    /// routes say: for whoever puts load on what was named. Over UDP alone.
    pub confined: bool,
    /// `User-Agent` and `Server`.
    pub user_agent: String,
    /// [`T1`]; tests take a shorter one.
    pub t1: Duration,
}

impl Default for EndpointConfig {
    /// Nothing to listen on and nobody to serve.
    fn default() -> Self {
        Self {
            bind_udp: None,
            bind_tcp: None,
            bind_tls: None,
            tls: TlsConfig::default(),
            trunks: Vec::new(),
            name_servers: Vec::new(),
            advertised: None,
            access: Access::default(),
            confined: false,
            user_agent: "Cordboard".to_owned(),
            t1: T1,
        }
    }
}

impl EndpointConfig {
    /// The address of ours that this peer would be told by such an endpoint.
    #[must_use]
    pub fn address_towards(&self, peer: IpAddr) -> IpAddr {
        let Self { bind_udp: udp, bind_tcp: tcp, bind_tls: tls, advertised, .. } = *self;
        Addresses { udp, tcp, tls, advertised }.towards(peer)
    }
}

/// Why there is no endpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Neither UDP nor TCP nor TLS.
    #[error("misconfigured: neither a udp nor a tcp nor a tls address to listen on")]
    NoTransport,
    /// TLS is to be listened on without a certificate.
    #[error("misconfigured: tls needs a certificate and its key to listen on {address}")]
    NoCertificate {
        /// What was asked for.
        address: SocketAddr,
    },
    /// The files of TLS are of no use.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The system refused an address.
    #[error("misconfigured: cannot listen on {transport} {address}: {source}")]
    Refused {
        /// `udp`, `tcp` or `tls`.
        transport: &'static str,
        /// What was asked for.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The stack refused to begin.
    #[error("sip stack refused to begin: {0}")]
    Stack(#[source] Box<rsipstack::Error>),
}

/// Whether new calls are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Admission {
    /// They are.
    #[default]
    Open,
    /// They are refused, and so is OPTIONS, so that a proxy looks elsewhere. Calls that are up
    /// go on.
    Refuse {
        /// Status, commonly 503.
        code: u16,
        /// `Retry-After`.
        retry_after_s: u32,
    },
}

/// What there is at present, and what was turned away since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Legs that ring, talk or are ending.
    pub dialogs: usize,
    /// Transactions under way.
    pub transactions: usize,
    /// Transactions over, kept 64·T1 for retransmissions.
    pub finished_transactions: usize,
    /// Answers that wait for their ACK.
    pub waiting_ack: usize,
    /// TCP connections.
    pub connections: usize,
    /// Requests of sources that are not trusted.
    pub untrusted: u64,
    /// Datagrams of known scanners, dropped.
    pub scanners: u64,
    /// Messages that were none, or broken.
    pub malformed: u64,
    /// Calls refused by admission or a full channel, and connections above their number.
    pub refused: u64,
    /// Sources banned at present.
    pub bans: usize,
    /// Messages of banned sources, dropped.
    pub banned: u64,
    /// Datagrams dropped because there were too many at once.
    pub shed: u64,
}

#[derive(Debug, Default)]
struct Tally {
    untrusted: AtomicU64,
    scanners: AtomicU64,
    malformed: AtomicU64,
    refused: AtomicU64,
    banned: AtomicU64,
    shed: AtomicU64,
}

impl Tally {
    fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// How many calls there may be, and how many there are.
struct Room {
    live: Arc<AtomicUsize>,
    most: usize,
    retry_after_s: u32,
}

/// Whether a number, the user part of a request's URI, is answered here.
type Numbers = Box<dyn Fn(&str) -> bool + Send + Sync>;

/// Call-ID and our tag: what in-dialog requests find their leg by.
type LegKey = (String, String);

/// What all tasks of an endpoint share.
struct Core {
    stack: EndpointInnerRef,
    addresses: Addresses,
    access: Access,
    gate: Arc<Gate>,
    usher: Arc<Usher>,
    guests: Arc<Guests>,
    room: Mutex<Option<Room>>,
    answers: Mutex<Option<Numbers>>,
    user_agent: String,
    confined: bool,
    /// 64·T1: how long a peer has to answer or acknowledge.
    patience: Duration,
    legs: Mutex<HashMap<LegKey, mpsc::UnboundedSender<Input>>>,
    admission: Mutex<Admission>,
    tally: Arc<Tally>,
    timers: Mutex<Limits>,
    tracer: Arc<Tracer>,
    tls: Tls,
    resolver: Resolver,
    carriers: Vec<Arc<Carrier>>,
    trunk_calls: Mutex<HashMap<LegKey, TrunkCall>>,
    /// The address that is listened on is not this machine's any more.
    homeless: AtomicBool,
    stop: CancellationToken,
    /// Where legs live, whoever dials them.
    runtime: Handle,
}

impl Core {
    fn legs(&self) -> MutexGuard<'_, HashMap<LegKey, mpsc::UnboundedSender<Input>>> {
        self.legs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admission(&self) -> Admission {
        if self.homeless.load(Ordering::Acquire) {
            return Admission::Refuse { code: 503, retry_after_s: BUSY_RETRY_AFTER_S };
        }
        *self.admission.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for one more call; where not, what its caller is told.
    fn room(&self) -> Admission {
        let room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        let full = room.as_ref().filter(|it| it.live.load(Ordering::Acquire) >= it.most);
        match (self.admission(), full) {
            (Admission::Open, Some(room)) => {
                Admission::Refuse { code: 503, retry_after_s: room.retry_after_s }
            }
            (admission, _) => admission,
        }
    }

    /// Connections that we opened. rsipstack counts the inlet of those that came in over TCP as
    /// one, and each of those over TLS, which it reads itself.
    fn opened_connections(&self) -> usize {
        let came_in = usize::from(self.addresses.tcp.is_some()) + self.tls.greeted();
        self.stack.transport_layer.connections_count().saturating_sub(came_in)
    }

    fn timers(&self) -> Limits {
        *self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// [`T1`], or what tests have for it.
    fn t1(&self) -> Duration {
        self.patience / 64
    }

    fn trunk_calls(&self) -> MutexGuard<'_, HashMap<LegKey, TrunkCall>> {
        self.trunk_calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Networks that the trunks call from.
    fn trunk_networks(&self) -> impl Iterator<Item = IpNet> {
        self.carriers.iter().flat_map(|it| it.trunk.from.iter().copied())
    }

    /// Notes that a leg is on a trunk, until the leg is over.
    fn enter_trunk(&self, key: LegKey, call: TrunkCall) {
        // A leg that is over already would not take the entry with it: it cannot end meanwhile.
        let legs = self.legs();
        if legs.contains_key(&key) {
            self.trunk_calls().insert(key, call);
        }
    }

    /// The trunk that a request of ours belongs to.
    fn trunk_call(&self, request: &Request) -> Option<TrunkCall> {
        let key = (request.header_value("Call-ID")?, dialog::from_tag(&request.headers)?);
        self.trunk_calls().get(&key).cloned()
    }

    /// The sequence numbers of a leg, from `least` on: one that is on a trunk shares them.
    fn sequence(&self, call_id: &str, tag: &str, least: u32) -> Arc<AtomicU32> {
        let key = (call_id.to_owned(), tag.to_owned());
        let seq = self.trunk_calls().get(&key).map(|it| Arc::clone(&it.seq)).unwrap_or_default();
        seq.fetch_max(least, Ordering::AcqRel);
        seq
    }

    /// A place for a call from there: none needed where that is no trunk, an error where the
    /// trunk has no room.
    fn seat_inbound(&self, source: Option<SocketAddr>) -> Result<Option<TrunkCall>, ()> {
        let from = |it: &&Arc<Carrier>| source.is_some_and(|at| it.trunk.calls_from(at.ip()));
        match self.carriers.iter().find(from) {
            Some(carrier) => carrier.call().map(Some).ok_or(()),
            None => Ok(None),
        }
    }

    /// Enters a leg; the entry goes with the guard.
    fn enter(self: &Arc<Self>, key: LegKey, inbox: mpsc::UnboundedSender<Input>) -> Entered {
        self.legs().insert(key.clone(), inbox);
        Entered { core: Arc::clone(self), key }
    }
}

/// A leg's place among the legs.
struct Entered {
    core: Arc<Core>,
    key: LegKey,
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.core.legs().remove(&self.key);
        self.core.trunk_calls().remove(&self.key);
        self.core.tracer.forget(&self.key.0, &self.key.1);
    }
}

/// A SIP user agent. Clones are the same one; it stops when the last is dropped.
#[derive(Clone)]
pub struct Endpoint {
    core: Arc<Core>,
    _stop: Arc<DropGuard>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("addresses", &self.core.addresses).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Listens, on the runtime that this is called in. Calls of trusted sources come out of the
    /// receiver; `100 Trying` has been sent.
    ///
    /// # Errors
    /// [`BindError`].
    ///
    /// ```
    /// # tokio::runtime::Runtime::new()?.block_on(async {
    /// use cordboard_sip::access::Access;
    /// use cordboard_sip::endpoint::{DialRequest, Endpoint, EndpointConfig, LegSignal};
    /// let config = EndpointConfig {
    ///     bind_udp: Some("127.0.0.1:0".parse()?),
    ///     access: Access::new(["127.0.0.1"], ["127.0.0.1"])?,
    ///     ..EndpointConfig::default()
    /// };
    /// let (endpoint, mut calls) = Endpoint::bind(config).await?;
    /// let address = endpoint.local_udp().ok_or("no udp")?;
    /// let mut caller = endpoint.dial(DialRequest {
    ///     to: format!("sip:desk@{address}"),
    ///     from: "sip:hotline@127.0.0.1".to_owned(),
    ///     display: None,
    ///     sdp: "v=0\r\n".to_owned(),
    ///     headers: Vec::new(),
    /// })?;
    /// let callee = calls.recv().await.ok_or("stopped")?.leg;
    /// callee.line.refuse(404, None);
    /// let answer = caller.events.recv().await;
    /// assert!(matches!(answer, Some(LegSignal::Refused { code: 404, .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).map_err(|error| error.to_string())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn bind(
        config: EndpointConfig,
    ) -> Result<(Self, mpsc::Receiver<Incoming>), BindError> {
        let token = CancellationToken::new();
        let tally = Arc::new(Tally::default());
        let gate = Arc::new(Gate::new(config.access.clone(), Arc::clone(&tally)));
        let transports = TransportLayer::new(token.clone());
        transports.set_stream_idle_timeout(STREAM_IDLE);

        let tls = Tls::open(config.tls)?;
        let callers: Vec<IpNet> = config.trunks.iter().flat_map(|it| it.from.clone()).collect();
        let access = config.access.trusting_too(callers);
        let mut addresses =
            Addresses { udp: None, tcp: None, tls: None, advertised: config.advertised };
        let kept = config.confined.then(|| Kept(access.clone()));
        if let Some(address) = config.bind_udp {
            let door = (Arc::clone(&gate), Arc::clone(&tally), kept.clone());
            let (bound, udp) = listen_udp(address, door, token.child_token()).await?;
            transports.add_transport(udp.into());
            addresses.udp = Some(bound);
        }
        if let Some(address) = config.bind_tls.filter(|_| !tls.has_certificate()) {
            return Err(BindError::NoCertificate { address });
        }
        let listeners = listen(config.bind_tcp, config.bind_tls, &mut addresses).await?;
        if addresses.bound().is_none() {
            return Err(BindError::NoTransport);
        }

        let weak = Arc::new(OnceLock::new());
        let usher = Arc::new(Usher::new(Arc::clone(&gate), Arc::clone(&weak)));
        let tracer = Arc::new(Tracer::default());
        let mut builder = EndpointBuilder::new();
        builder
            .with_user_agent(&config.user_agent)
            .with_cancel_token(token.clone())
            .with_transport_layer(transports);
        let stack = watched(builder, (&usher, &tracer), config.t1, kept);
        let transactions = stack.incoming_transactions().map_err(stack_refused)?;
        let core = Arc::new(Core {
            stack: Arc::clone(&stack.inner),
            addresses,
            access,
            gate,
            usher,
            guests: Arc::default(),
            room: Mutex::default(),
            answers: Mutex::default(),
            user_agent: config.user_agent,
            confined: config.confined,
            patience: config.t1 * 64,
            legs: Mutex::default(),
            admission: Mutex::default(),
            tally,
            timers: Mutex::default(),
            tracer,
            tls,
            resolver: Resolver::new(&config.name_servers),
            carriers: config.trunks.into_iter().map(|it| Arc::new(Carrier::new(it))).collect(),
            trunk_calls: Mutex::default(),
            homeless: AtomicBool::new(false),
            stop: token.clone(),
            runtime: Handle::current(),
        });
        let _ = weak.set(Arc::downgrade(&core));
        let (calls, incoming) = mpsc::channel(UNTAKEN_CALLS);
        tokio::spawn(async move { stack.serve().await });
        tokio::spawn(dispatch::run(Arc::clone(&core), transactions, calls, token.clone()));
        for (transport, listener) in listeners {
            tokio::spawn(tcp::accept(listener, transport, Arc::clone(&core), token.clone()));
        }
        upkeep::begin(&core, &token);
        Ok((Self { core, _stop: Arc::new(token.drop_guard()) }, incoming))
    }

    /// Rings somebody, from any thread. Their answer comes as [`LegSignal`]s; patience is the
    /// caller's: hang up to give up.
    ///
    /// # Errors
    /// [`DialError`] where the request makes no sense or the destination is not allowed.
    pub fn dial(&self, request: DialRequest) -> Result<Leg, DialError> {
        outgoing::dial(&self.core, request)
    }

    /// Where a call to this address would go, so that its offer can be made.
    ///
    /// # Errors
    /// [`DialError`] as of [`Self::dial`], as far as it can be known before.
    pub fn route(&self, to: &str) -> Result<Route, DialError> {
        outgoing::route(&self.core, to)
    }

    /// The trunks at present, in the order of the configuration.
    #[must_use]
    pub fn trunks(&self) -> Vec<TrunkState> {
        self.core.carriers.iter().map(|it| it.state()).collect()
    }

    /// Takes our registrations back, as far as the trunks answer within some seconds. Calls that
    /// are up go on.
    pub async fn leave_trunks(&self) {
        upkeep::leave(&self.core).await;
    }

    /// Reads the files of TLS again; also done by itself a second after they change.
    ///
    /// # Errors
    /// [`TlsError`]: what was read before goes on to serve.
    pub fn reload_tls(&self) -> Result<(), TlsError> {
        self.core.tls.reload()
    }

    /// When our certificate, or one between it and its root, expires, in seconds since 1970.
    #[must_use]
    pub fn certificate_expiry_unix_s(&self) -> Option<i64> {
        self.core.tls.expiry_unix_s()
    }

    /// Opens or shuts the door for new calls.
    pub fn set_admission(&self, admission: Admission) {
        *self.core.admission.lock().unwrap_or_else(PoisonError::into_inner) = admission;
    }

    /// Tells how many calls there may be, and where their number is kept: above it an INVITE is
    /// answered 503 at the door, before anything is kept for it. The last word counts.
    pub fn set_room(&self, live: Arc<AtomicUsize>, most: usize, retry_after_s: u32) {
        let room = Some(Room { live, most, retry_after_s });
        *self.core.room.lock().unwrap_or_else(PoisonError::into_inner) = room;
    }

    /// Sets the session timers of calls that begin from now on; the defaults are those of RFC 4028.
    /// Where T1 is not the standard one, seconds shrink with it.
    pub fn set_session_timers(&self, limits: Limits) {
        *self.core.timers.lock().unwrap_or_else(PoisonError::into_inner) = limits;
    }

    /// Whether calls that begin from now on are told their messages as [`LegSignal::Trace`], at
    /// most 200 a leg; at first they are not.
    pub fn set_trace(&self, on: bool) {
        self.core.tracer.turn(on);
    }

    /// Serves and rings others from now on, and the trunks as before; legs that are up go on.
    pub fn set_access(&self, access: &Access) {
        let access = access.clone().trusting_too(self.core.trunk_networks());
        self.core.access.replace(&access);
    }

    /// Tells which numbers are answered: a call to any other is 404 at the door. The last word
    /// counts; without one, every number may ring.
    pub fn set_numbers(&self, answers: impl Fn(&str) -> bool + Send + Sync + 'static) {
        let answers: Option<Numbers> = Some(Box::new(answers));
        *self.core.answers.lock().unwrap_or_else(PoisonError::into_inner) = answers;
    }

    /// UDP address bound.
    #[must_use]
    pub fn local_udp(&self) -> Option<SocketAddr> {
        self.core.addresses.udp
    }

    /// TCP address bound.
    #[must_use]
    pub fn local_tcp(&self) -> Option<SocketAddr> {
        self.core.addresses.tcp
    }

    /// TLS address bound.
    #[must_use]
    pub fn local_tls(&self) -> Option<SocketAddr> {
        self.core.addresses.tls
    }

    /// The address of ours that this peer should be told, in session descriptions too.
    #[must_use]
    pub fn address_towards(&self, peer: IpAddr) -> IpAddr {
        self.core.addresses.towards(peer)
    }

    /// What there is at present: all zero, some time after the last call.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let stack = self.core.stack.get_stats();
        let tally = &self.core.tally;
        Counters {
            dialogs: self.core.legs().len(),
            transactions: stack.running_transactions,
            finished_transactions: stack.finished_transactions,
            waiting_ack: stack.waiting_ack,
            connections: self.core.guests.count() + self.core.opened_connections(),
            untrusted: tally.untrusted.load(Ordering::Relaxed),
            scanners: tally.scanners.load(Ordering::Relaxed),
            malformed: tally.malformed.load(Ordering::Relaxed),
            refused: tally.refused.load(Ordering::Relaxed),
            bans: self.core.gate.banned(),
            banned: tally.banned.load(Ordering::Relaxed),
            shed: tally.shed.load(Ordering::Relaxed),
        }
    }
}

fn stack_refused(error: rsipstack::Error) -> BindError {
    BindError::Stack(Box::new(error))
}

/// The stack, with its times, and those who look at what comes and goes.
fn watched(
    mut builder: EndpointBuilder,
    (usher, tracer): (&Arc<Usher>, &Arc<Tracer>),
    t1: Duration,
    kept: Option<Kept>,
) -> rsipstack::transaction::Endpoint {
    builder
        .with_transport_inspector(Box::new(usher::Inspector(Arc::clone(usher))))
        .with_inspector(Box::new(trace::Inspector(Arc::clone(tracer))))
        .with_option(timers(t1));
    if let Some(kept) = kept {
        builder.with_target_locator(Box::new(kept));
    }
    builder.build()
}

/// Binds what datagrams come in on.
async fn listen_udp(
    address: SocketAddr,
    (gate, tally, kept): (Arc<Gate>, Arc<Tally>, Option<Kept>),
    stop: CancellationToken,
) -> Result<(SocketAddr, UdpConnection), BindError> {
    let refused = |source| BindError::Refused { transport: "udp", address, source };
    let socket = doorman::open(address).map_err(refused)?;
    let bound = socket.local_addr().map_err(refused)?;
    let doorman = Arc::new(Doorman::new(socket, gate, tally, kept));
    let udp = UdpConnection::from_socket(doorman, None, Some(stop)).await;
    Ok((bound, udp.map_err(stack_refused)?))
}

/// Binds what connections come in on, and notes where.
async fn listen(
    tcp: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    addresses: &mut Addresses,
) -> Result<Vec<(Transport, TcpListener)>, BindError> {
    let mut listeners = Vec::new();
    for (transport, name, address, place) in [
        (Transport::Tcp, "tcp", tcp, &mut addresses.tcp),
        (Transport::Tls, "tls", tls, &mut addresses.tls),
    ] {
        let Some(address) = address else { continue };
        let refused = |source| BindError::Refused { transport: name, address, source };
        let bound = TcpListener::bind(address).await.map_err(refused)?;
        *place = Some(bound.local_addr().map_err(refused)?);
        listeners.push((transport, bound));
    }
    Ok(listeners)
}

/// Does with these bytes all that the door does before anything is kept, as a datagram and as a
/// stream. For fuzzing: it shall do nothing else, whatever the bytes.
#[doc(hidden)]
pub fn try_door(bytes: &[u8]) {
    let mut message = bytes.to_vec();
    if let wire::Cut::Message(length) = wire::cut(&message, 0) {
        assert!(length <= message.len());
    }
    wire::farewell(&message, 400);
    wire::mend(&mut message);
    wire::unsaid_body(&message);
    let gate = Gate::new(Access::default(), Arc::default());
    let from = SocketAddr::from(([192, 0, 2, 1], 5060));
    if let gate::Judgement::Pass(message) = gate.judge(&message, from, Transport::Udp) {
        dialog::try_reading(&message);
    }
}

/// RFC 3261, table 4, in units of T1.
fn timers(t1: Duration) -> EndpointOption {
    EndpointOption {
        t1,
        t2: t1 * 8,
        t4: t1 * 10,
        t1x64: t1 * 64,
        timerc: RING_LIMIT,
        ..EndpointOption::default()
    }
}
