//! A trunk at work: where it is, which of its places answer, how many calls it has.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rsipstack::sip::Transport;
use rsipstack::transaction::make_uuid_v4;
use rsipstack::transport::SipAddr;

use super::Core;
use crate::srtp::SrtpPolicy;
use crate::trunk::{Carriage, Trunk};

/// Where a request goes, and under which name it is verified there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) address: SocketAddr,
    pub(super) transport: Transport,
    pub(super) name: String,
}

impl Target {
    pub(super) fn sip_address(&self) -> SipAddr {
        SipAddr { r#type: Some(self.transport), addr: self.address.into() }
    }
}

/// What is to be seen of a trunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrunkState {
    /// Its name.
    pub name: String,
    /// Calls at present.
    pub calls: usize,
    /// Calls at most.
    pub calls_max: usize,
    /// Calls out that found no room.
    pub full: u64,
    /// Whether it knows us; none where we do not register.
    pub registered: Option<bool>,
    /// Status with which it refused to register us at the last time; none where it did not.
    pub refused: Option<u16>,
    /// Its places, and whether each answers.
    pub places: Vec<(SocketAddr, bool)>,
}

impl TrunkState {
    /// Whether one of its places answers, and it knows us where we register.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.registered != Some(false) && self.places.iter().any(|(_, answers)| *answers)
    }
}

/// Where a call to an address would go, for those who make the offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The trunk.
    pub trunk: Option<String>,
    /// Whether its media is to be secured.
    pub srtp: SrtpPolicy,
    /// Whether its signalling is secured.
    pub secure: bool,
    /// Whom it would go to, where that is known before a name server is asked.
    pub peer: Option<IpAddr>,
    /// Our own address on that trunk, where the trunk has a word on it.
    pub from: Option<String>,
}

#[derive(Default)]
struct Standing {
    targets: Vec<Target>,
    down: Vec<Target>,
    /// The name system knows no address.
    is_lost: bool,
    registered: bool,
    refused: Option<u16>,
    /// The last nonce and how often it was used.
    nonce: (String, u32),
}

/// See the module.
pub(super) struct Carrier {
    pub(super) trunk: Trunk,
    /// Call-ID of its registration.
    pub(super) registration_id: String,
    pub(super) seq: Arc<AtomicU32>,
    /// No more registrations: we are leaving.
    pub(super) left: AtomicBool,
    calls: AtomicUsize,
    full: AtomicUsize,
    standing: Mutex<Standing>,
}

impl Carrier {
    pub(super) fn new(trunk: Trunk) -> Self {
        Self {
            trunk,
            registration_id: make_uuid_v4(),
            seq: Arc::default(),
            left: AtomicBool::new(false),
            calls: AtomicUsize::new(0),
            full: AtomicUsize::new(0),
            standing: Mutex::default(),
        }
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) const fn transport(&self) -> Transport {
        match self.trunk.carriage {
            Carriage::Udp => Transport::Udp,
            Carriage::Tcp => Transport::Tcp,
            Carriage::Tls => Transport::Tls,
        }
    }

    /// Asks the name system where it is. What was known stays where no answer comes; whether there
    /// is a place of which nothing is known then.
    pub(super) async fn locate(&self, core: &Core) -> bool {
        let mut found: Vec<Target> = Vec::new();
        let mut is_unknown = false;
        for place in &self.trunk.hosts {
            let told = core.resolver.places(place, self.trunk.carriage, rand::random()).await;
            let (transport, name) = (self.transport(), place.host.clone());
            let target = |address| Target { address, transport, name: name.clone() };
            let mut of_place: Vec<Target> = told.addresses.into_iter().map(target).collect();
            if told.is_partial {
                let here = |it: &Target| place.port.is_none_or(|port| port == it.address.port());
                let known = self.standing().targets.clone();
                of_place.extend(known.into_iter().filter(|it| it.name == name && here(it)));
                is_unknown |= of_place.is_empty();
            }
            for target in of_place {
                if !found.contains(&target) {
                    found.push(target);
                }
            }
        }
        let mut standing = self.standing();
        let is_lost = found.is_empty();
        if std::mem::replace(&mut standing.is_lost, is_lost) != is_lost {
            tracing::warn!(trunk = %self.trunk.name, is_lost, "whether the trunk has an address");
        }
        if !is_lost {
            standing.down.retain(|it| found.contains(it));
            standing.targets = found;
        }
        is_unknown
    }

    /// The address of the place that is rung first, where one is known.
    pub(super) fn peer(&self) -> Option<IpAddr> {
        let written = || self.trunk.hosts.first()?.host.parse().ok();
        self.targets().first().map(|it| it.address.ip()).or_else(written)
    }

    /// Its places: those that answer first, the others as a last resort.
    pub(super) fn targets(&self) -> Vec<Target> {
        let standing = self.standing();
        let is_down = |it: &Target| standing.down.contains(it);
        let mut targets = standing.targets.clone();
        targets.sort_by_key(is_down);
        targets
    }

    /// Notes whether a place answers; says whether that is news.
    pub(super) fn mark(&self, target: &Target, is_up: bool) -> bool {
        let mut standing = self.standing();
        let was_up = !standing.down.contains(target);
        if is_up {
            standing.down.retain(|it| it != target);
        } else if was_up {
            standing.down.push(target.clone());
        }
        drop(standing);
        if was_up != is_up {
            let (trunk, place) = (&self.trunk.name, target.address);
            tracing::warn!(%trunk, %place, is_up, "a place of a trunk has changed");
        }
        was_up != is_up
    }

    /// Gives every place another chance, where none is asked whether it is there.
    pub(super) fn forgive(&self) {
        self.standing().down.clear();
    }

    pub(super) fn is_any_down(&self) -> bool {
        !self.standing().down.is_empty()
    }

    /// Whether this address is one of its own.
    pub(super) fn knows(&self, ip: IpAddr) -> bool {
        self.trunk.calls_from(ip) || self.standing().targets.iter().any(|it| it.address.ip() == ip)
    }

    pub(super) fn set_registered(&self, registered: bool) {
        self.standing().registered = registered;
    }

    pub(super) fn set_refused(&self, code: Option<u16>) {
        self.standing().refused = code;
    }

    pub(super) fn is_registered(&self) -> bool {
        self.standing().registered
    }

    /// How often this nonce has been used, this time included (`nc`).
    pub(super) fn use_nonce(&self, nonce: &str) -> u32 {
        let last = &mut self.standing().nonce;
        if last.0 != nonce {
            *last = (nonce.to_owned(), 0);
        }
        last.1 = last.1.saturating_add(1);
        last.1
    }

    /// Counts a call in, where there is room.
    fn seat(self: &Arc<Self>) -> Option<Seat> {
        let most = self.trunk.calls_max;
        let room = |calls: usize| (calls < most).then_some(calls + 1);
        if self.calls.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_err() {
            self.full.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Seat(Arc::clone(self)))
    }

    /// A call on it, where there is room.
    pub(super) fn call(self: &Arc<Self>) -> Option<TrunkCall> {
        let seat = Some(Arc::new(self.seat()?));
        Some(TrunkCall { carrier: Arc::clone(self), seq: Arc::default(), _seat: seat })
    }

    pub(super) fn state(&self) -> TrunkState {
        let standing = self.standing();
        let place = |it: &Target| (it.address, !standing.down.contains(it));
        TrunkState {
            name: self.trunk.name.clone(),
            calls: self.calls.load(Ordering::Acquire),
            calls_max: self.trunk.calls_max,
            full: self.full.load(Ordering::Relaxed) as u64,
            registered: self.trunk.register.map(|_| standing.registered),
            refused: standing.refused,
            places: standing.targets.iter().map(place).collect(),
        }
    }
}

/// A call's place among the trunk's calls, given back when dropped.
pub(super) struct Seat(Arc<Carrier>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What a leg on a trunk has beyond others.
#[derive(Clone)]
pub(super) struct TrunkCall {
    pub(super) carrier: Arc<Carrier>,
    /// Sequence number of our last request in the dialog: a request that is sent again with
    /// credentials takes the next.
    pub(super) seq: Arc<AtomicU32>,
    /// Of a registration there is none.
    pub(super) _seat: Option<Arc<Seat>>,
}
