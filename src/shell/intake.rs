//! Inbound calls: who may come in, which flow answers, and which worker seats them.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use cordboard_sip::endpoint::{Admission, Endpoint, Incoming};
use tokio_util::sync::CancellationToken;

use super::admission::{Judge, Rules, Strain};
use super::mailbox::{SeatId, ToWorker};
use super::media::NewCall;
use super::seat::LineId;
use super::services::Services;
use crate::api::{BrowserCall, NotTaken, StreamCall, StreamFault};
use crate::call::{CallFacts, CallSettings, DialPlan};
use crate::clock;
use crate::conversation::Flow;
use crate::leg::browser::BrowserLeg;
use crate::leg::{CarrierEnd, Leg, PhoneLeg, PhoneRefusal, stream};
use crate::timeline::{CallId, LegKind, LegRole, Links};

/// After how many seconds a caller who found no room may try again (RFC 3261 §20.33).
const RETRY_AFTER_S: u32 = 10;
/// How often it is judged whether workers and engines keep up; the workers tell twice a second.
const JUDGE_EVERY: Duration = Duration::from_millis(250);

/// What new calls meet; a reload brings another one, and calls under way keep theirs.
#[derive(Debug)]
pub(crate) struct Reception {
    /// Flows by user part, `*` for the rest.
    pub(crate) routes: HashMap<String, Arc<Flow>>,
    /// Their user parts, in the order of the settings.
    pub(crate) order: Vec<String>,
    /// How calls behave.
    pub(crate) settings: CallSettings,
    /// Calls at a time.
    pub(crate) calls_max: usize,
    /// When they are refused because the service does not keep up.
    pub(crate) admission: Rules,
    /// Which reception it is, from 1.
    pub(crate) version: u64,
}

/// Seats calls.
#[derive(Debug)]
pub(crate) struct Intake {
    services: Arc<Services>,
    reception: RwLock<Arc<Reception>>,
    link_base: String,
    live: Arc<AtomicUsize>,
    next_seat: AtomicU64,
    draining: AtomicBool,
    /// Whether an address that callers are told is not this machine's any more.
    stranded: AtomicBool,
    strain: Mutex<Option<Strain>>,
}

impl Intake {
    /// Makes an intake.
    pub(crate) fn new(
        services: Arc<Services>,
        reception: Reception,
        link_base: String,
        live: Arc<AtomicUsize>,
    ) -> Self {
        tell_the_door(&services.endpoint, &live, &reception);
        Self {
            services,
            reception: RwLock::new(Arc::new(reception)),
            link_base,
            live,
            next_seat: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            stranded: AtomicBool::new(false),
            strain: Mutex::new(None),
        }
    }

    /// What new calls meet at present.
    pub(crate) fn reception(&self) -> Arc<Reception> {
        self.reception.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lets new calls meet something else from now on.
    pub(crate) fn set_reception(&self, reception: Reception) {
        tell_the_door(&self.services.endpoint, &self.live, &reception);
        let mut current = self.reception.write().unwrap_or_else(PoisonError::into_inner);
        *current = Arc::new(reception);
    }

    /// Whether every new call is refused.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Refuses every new call from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.tell_admission(&self.locked_strain());
    }

    /// Whether an address that callers are told is not this machine's any more.
    pub(crate) fn is_stranded(&self) -> bool {
        self.stranded.load(Ordering::Acquire)
    }

    /// Refuses every new call while an address that callers are told is not this machine's.
    pub(crate) fn set_stranded(&self, stranded: bool) {
        self.stranded.store(stranded, Ordering::Release);
        self.tell_admission(&self.locked_strain());
    }

    /// Why new calls are refused for want of time, where they are.
    pub(crate) fn strain(&self) -> Option<Strain> {
        *self.locked_strain()
    }

    /// Judges again and again whether media workers and engines keep up, until `stop`.
    pub(crate) async fn mind_load(self: Arc<Self>, stop: CancellationToken) {
        let mut judge = Judge::default();
        let mut look = tokio::time::interval(JUDGE_EVERY);
        while stop.run_until_cancelled(look.tick()).await.is_some() {
            let rules = self.reception().admission;
            let loads = &self.services.loads;
            loads.set_late_after(rules.late_after);
            let (told, wants) = (loads.read(), loads.wants());
            self.set_strain(judge.judge(clock::monotonic(), &rules, &told, wants));
        }
    }

    fn set_strain(&self, strain: Option<Strain>) {
        let mut standing = self.locked_strain();
        if *standing == strain {
            return;
        }
        *standing = strain;
        self.tell_admission(&standing);
        match strain {
            Some(strain) => {
                self.services.figures.admission_shut.count(strain.name());
                tracing::warn!(why = strain.name(), "new calls are refused: no room for them");
            }
            None => tracing::info!("new calls are taken again"),
        }
    }

    /// Tells the door whether calls may come in; whoever holds the strain has the last word.
    fn tell_admission(&self, strain: &MutexGuard<'_, Option<Strain>>) {
        let admission = match self.is_draining() || self.is_stranded() || strain.is_some() {
            true => Admission::Refuse { code: 503, retry_after_s: RETRY_AFTER_S },
            false => Admission::Open,
        };
        self.services.endpoint.set_admission(admission);
    }

    fn locked_strain(&self) -> MutexGuard<'_, Option<Strain>> {
        self.strain.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an INVITE: seats the call or refuses it.
    pub(crate) fn take(&self, incoming: Incoming) {
        let Incoming { from_uri, to_uri, to_user, offer, source, leg, trunk, srtp, secure, .. } =
            incoming;
        let cordboard_sip::endpoint::Leg { line, events } = leg;
        let reception = self.reception();
        let Some(flow) = reception.route(&to_user) else {
            line.refuse(404, None);
            return;
        };
        if !self.admit(&reception) {
            line.refuse(503, Some(RETRY_AFTER_S));
            return;
        }
        let seed = rand::random();
        let offer = offer.as_deref();
        let policy = trunk.is_some().then_some(srtp);
        let media = self.services.media_towards(Some(source.ip()), policy, secure);
        let phone = match PhoneLeg::inbound(line, offer, &media, seed) {
            Ok(phone) => phone,
            Err((line, refusal)) => {
                self.live.fetch_sub(1, Ordering::AcqRel);
                tracing::info!(why = refusal.kind(), "a call was refused");
                match refusal {
                    PhoneRefusal::Negotiation(refusal) => {
                        line.refuse_saying(refusal.status(), refusal.to_string());
                    }
                    PhoneRefusal::Ports(_) | PhoneRefusal::Dial(_) => {
                        line.refuse(503, Some(RETRY_AFTER_S));
                    }
                }
                return;
            }
        };
        let facts = self.facts(from_uri, to_uri, None, flow, seed, &reception);
        let seat = self.seat(facts, &reception, Some(phone.into()));
        self.services.forward(seat, LineId { role: LegRole::Caller, number: 1 }, events);
    }

    /// Places a call; gives its name, or nothing where there is no room or no such flow.
    pub(crate) fn place(&self, to: &str, flow: &str) -> Option<CallId> {
        let reception = self.reception();
        let flow = reception.route(flow)?;
        if !self.admit(&reception) {
            return None;
        }
        let identity = self.services.identity(self.services.endpoint.route(to).ok().as_ref());
        let plan =
            DialPlan { uri: to.to_owned(), display: flow.name().to_owned(), headers: Vec::new() };
        let seed = rand::random();
        let facts = self.facts(identity, to.to_owned(), Some(plan), flow, seed, &reception);
        let name = facts.id.clone();
        self.seat(facts, &reception, None);
        Some(name)
    }

    /// Takes a carrier's stream: seats the call or refuses it.
    pub(crate) fn take_stream(&self, call: StreamCall) -> Result<CarrierEnd, StreamFault> {
        let reception = self.reception();
        let flow = reception.route(&call.route).ok_or(StreamFault::NoSuchRoute)?;
        if !self.admit(&reception) {
            return Err(StreamFault::NoRoom);
        }
        let facts = self.facts(call.from, call.to, None, flow, rand::random(), &reception);
        let (leg, end) = stream(rand::random());
        let facts = CallFacts { leg: LegKind::Stream, ..facts };
        self.seat(facts, &reception, Some(Leg::Stream(leg)));
        Ok(end)
    }

    /// Takes a caller's browser: seats the call or refuses it; gives its name.
    pub(crate) fn take_browser(
        &self,
        call: BrowserCall,
        leg: BrowserLeg,
    ) -> Result<CallId, NotTaken> {
        let reception = self.reception();
        let flow = reception.route(&call.flow).ok_or(NotTaken::NoSuchFlow)?;
        if !self.admit(&reception) {
            return Err(NotTaken::NoRoom);
        }
        let facts = self.facts(call.from, call.flow, None, flow, rand::random(), &reception);
        let facts = CallFacts { leg: LegKind::Browser, ..facts };
        let name = facts.id.clone();
        self.seat(facts, &reception, Some(Leg::Browser(Box::new(leg))));
        Ok(name)
    }

    /// The numbers that are a flow's, in the order of the settings.
    pub(crate) fn flows(&self) -> Vec<String> {
        self.reception().order.clone()
    }

    /// Takes the person at this machine's sound card; gives the call's name, or nothing where there
    /// is no room or no such flow.
    #[cfg(feature = "device")]
    pub(crate) fn take_device(
        &self,
        leg: crate::leg::device::DeviceLeg,
        route: &str,
    ) -> Option<CallId> {
        let reception = self.reception();
        let flow = reception.route(route)?;
        if !self.admit(&reception) {
            return None;
        }
        let (from, to) = ("device:default".to_owned(), route.to_owned());
        let facts = self.facts(from, to, None, flow, rand::random(), &reception);
        let facts = CallFacts { leg: LegKind::Device, ..facts };
        let name = facts.id.clone();
        self.seat(facts, &reception, Some(Leg::Device(Box::new(leg))));
        Some(name)
    }

    /// Counts a call in, where there is room.
    fn admit(&self, reception: &Reception) -> bool {
        let room = |live: usize| (live < reception.calls_max).then_some(live + 1);
        let why = if self.is_draining() {
            "draining"
        } else if self.is_stranded() {
            "stranded"
        } else if self.strain().is_some() {
            "strained"
        } else if self.live.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_err() {
            "full"
        } else {
            return true;
        };
        self.services.figures.calls_refused.count(why);
        false
    }

    fn facts(
        &self,
        from: String,
        to: String,
        outbound: Option<DialPlan>,
        flow: Arc<Flow>,
        seed: u64,
        reception: &Reception,
    ) -> CallFacts {
        let id = CallId(ulid::Ulid::from_parts(clock::wall_unix_ms(), rand::random()).to_string());
        let address = format!("{}/v1/calls/{id}", self.link_base);
        let recording = reception.settings.record && flow.announces_recording();
        let links = Links {
            timeline: format!("{address}/timeline"),
            recording: recording.then(|| format!("{address}/recording")),
        };
        CallFacts {
            id,
            from,
            to,
            leg: LegKind::Phone,
            outbound,
            wall_unix_ms: clock::wall_unix_ms(),
            local: clock::local(),
            seed,
            flow,
            links,
        }
    }

    fn seat(&self, facts: CallFacts, reception: &Reception, leg: Option<Leg>) -> SeatId {
        let seat = SeatId(self.next_seat.fetch_add(1, Ordering::Relaxed));
        let mut settings = reception.settings.clone();
        // A browser takes its loudspeaker out of its microphone itself.
        settings.turn.cancels_echo &= facts.leg != LegKind::Browser;
        let began = clock::monotonic();
        let new = NewCall { seat, facts, settings, leg, began };
        // The workers end after the intake.
        drop(self.services.worker_of(seat).send(ToWorker::Open(Box::new(new))));
        seat
    }
}

impl Reception {
    fn route(&self, user: &str) -> Option<Arc<Flow>> {
        self.routes.get(user).or_else(|| self.routes.get("*")).cloned()
    }
}

/// Lets the door answer by itself what needs no call: numbers that are nobody's, and a full house.
fn tell_the_door(endpoint: &Endpoint, live: &Arc<AtomicUsize>, reception: &Reception) {
    endpoint.set_room(live.clone(), reception.calls_max, RETRY_AFTER_S);
    let numbers: HashSet<String> = reception.routes.keys().cloned().collect();
    endpoint.set_numbers(move |user| numbers.contains(user) || numbers.contains("*"));
}
