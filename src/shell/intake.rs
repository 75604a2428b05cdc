//! Inbound calls: who may come in, which flow answers, and which worker seats them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use cordboard_sip::endpoint::{Admission, Incoming};

use super::mailbox::{SeatId, ToWorker};
use super::media::NewCall;
use super::seat::LineId;
use super::services::Services;
use crate::call::{CallFacts, CallSettings, DialPlan};
use crate::clock;
use crate::conversation::Flow;
use crate::leg::{PhoneLeg, PhoneRefusal};
use crate::timeline::{CallId, LegKind, LegRole, Links};

/// After how many seconds a caller who found no room may try again (RFC 3261 §20.33).
const RETRY_AFTER_S: u32 = 10;

/// Seats calls.
#[derive(Debug)]
pub(crate) struct Intake {
    services: Arc<Services>,
    routes: HashMap<String, Arc<Flow>>,
    settings: CallSettings,
    link_base: String,
    calls_max: usize,
    live: Arc<AtomicUsize>,
    next_seat: AtomicU64,
    draining: AtomicBool,
}

impl Intake {
    /// Makes an intake; `routes` by user part, `*` for the rest.
    pub(crate) fn new(
        services: Arc<Services>,
        routes: HashMap<String, Arc<Flow>>,
        settings: CallSettings,
        link_base: String,
        calls_max: usize,
        live: Arc<AtomicUsize>,
    ) -> Self {
        services.endpoint.set_room(live.clone(), calls_max, RETRY_AFTER_S);
        Self {
            services,
            routes,
            settings,
            link_base,
            calls_max,
            live,
            next_seat: AtomicU64::new(0),
            draining: AtomicBool::new(false),
        }
    }

    /// Refuses every new call from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.services
            .endpoint
            .set_admission(Admission::Refuse { code: 503, retry_after_s: RETRY_AFTER_S });
    }

    /// Takes an INVITE: seats the call or refuses it.
    pub(crate) fn take(&self, incoming: Incoming) {
        let Incoming { from_uri, to_uri, to_user, offer, leg, .. } = incoming;
        let cordboard_sip::endpoint::Leg { line, events } = leg;
        let Some(flow) = self.route(&to_user) else {
            line.refuse(404, None);
            return;
        };
        if !self.admit() {
            line.refuse(503, Some(RETRY_AFTER_S));
            return;
        }
        let seed = rand::random();
        let offer = offer.as_deref();
        let phone = match PhoneLeg::inbound(line, offer, &self.services.media, seed) {
            Ok(phone) => phone,
            Err((line, refusal)) => {
                self.live.fetch_sub(1, Ordering::AcqRel);
                tracing::info!(%refusal, "a call was refused");
                match refusal {
                    PhoneRefusal::Negotiation(refusal) => line.refuse(refusal.status(), None),
                    PhoneRefusal::Ports(_) | PhoneRefusal::Dial(_) => {
                        line.refuse(503, Some(RETRY_AFTER_S));
                    }
                }
                return;
            }
        };
        let facts = self.facts(from_uri, to_uri, None, flow, seed);
        let seat = self.seat(facts, Some(phone));
        self.services.forward(seat, LineId { role: LegRole::Caller, number: 1 }, events);
    }

    /// Places a call; gives its name, or nothing where there is no room or no such flow.
    pub(crate) fn place(&self, to: &str, flow: &str) -> Option<CallId> {
        let flow = self.route(flow)?;
        if !self.admit() {
            return None;
        }
        let identity = self.services.identity.clone();
        let plan =
            DialPlan { uri: to.to_owned(), display: flow.name().to_owned(), headers: Vec::new() };
        let facts = self.facts(identity, to.to_owned(), Some(plan), flow, rand::random());
        let name = facts.id.clone();
        self.seat(facts, None);
        Some(name)
    }

    fn route(&self, user: &str) -> Option<Arc<Flow>> {
        self.routes.get(user).or_else(|| self.routes.get("*")).cloned()
    }

    /// Counts a call in, where there is room.
    fn admit(&self) -> bool {
        let room = |live: usize| (live < self.calls_max).then_some(live + 1);
        !self.draining.load(Ordering::Acquire)
            && self.live.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).is_ok()
    }

    fn facts(
        &self,
        from: String,
        to: String,
        outbound: Option<DialPlan>,
        flow: Arc<Flow>,
        seed: u64,
    ) -> CallFacts {
        let id = CallId(ulid::Ulid::from_parts(clock::wall_unix_ms(), rand::random()).to_string());
        let address = format!("{}/v1/calls/{id}", self.link_base);
        let recording = self.settings.record && flow.announces_recording();
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

    fn seat(&self, facts: CallFacts, leg: Option<PhoneLeg>) -> SeatId {
        let seat = SeatId(self.next_seat.fetch_add(1, Ordering::Relaxed));
        let settings = self.settings.clone();
        let began = clock::monotonic();
        let new = NewCall { seat, facts, settings, leg, began };
        // The workers end after the intake.
        drop(self.services.worker_of(seat).send(ToWorker::Open(Box::new(new))));
        seat
    }
}
