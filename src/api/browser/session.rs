//! A call's connection, from the offer to the end: between the browser's page, its media and the
//! call.
//!
//! ```text
//! Connecting ──sound flows──► Connected ◄──── Away (held; the call ends after `away_s`)
//!      │ 30 s                     │ nothing comes for 3 s ──────►▲
//!      └──────────► over ◄────────┴── hung up, either side
//! ```
//!
//! The page's WebSocket comes and goes; the session stays, and shows a page that comes back how
//! things stand.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use cordboard_audio::playout::FAR_BUFFER;
use tokio::sync::{mpsc, oneshot, watch};

use super::wire::{FromPage, ToPage};
use super::{BrowserCall, Browsers, NotTaken};
use crate::call::{EndCause, Shown};
use crate::clock;
use crate::leg::browser::{Opened, Peer, PeerEvent, PeerFault, PeerSettings, Word, fragment};
use crate::store::token_hash;
use crate::timeline::CallId;

/// How long a connection may take until sound flows.
const CONNECTED_WITHIN: Duration = Duration::from_secs(30);
/// How long a client without trickle waits for our candidates.
const GATHERED_WITHIN: Duration = Duration::from_secs(2);
/// How long the last word on a call may take once it has hung up.
const ENDED_WITHIN: Duration = Duration::from_millis(500);
/// How often it is looked whether a caller has been away for too long.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Lines and turns that a page which comes back is shown.
const REMEMBERED: usize = 40;
/// What pages and clients say that waits for the session.
const SAID: usize = 64;
/// More than this is not believed of a browser's buffer.
const FAR_BUFFER_MS_MAX: u32 = 5_000;
/// Absence is noticed within some seconds; what was said before is taken for heard.
const UNHEARD_MAX: Duration = Duration::from_secs(10);

/// Why a call does not begin.
#[derive(Debug, thiserror::Error)]
pub(super) enum BeginFault {
    /// The connection cannot be.
    #[error(transparent)]
    Peer(#[from] PeerFault),
    /// The call was not taken.
    #[error("the call was not taken")]
    NotTaken(NotTaken),
}

/// What a session is told.
#[derive(Debug)]
pub(super) enum ToSession {
    /// A page has come back, with an offer.
    Back(mpsc::Sender<ToPage>, String),
    /// A page or a client says something.
    Said(FromPage),
    /// A client restarts ICE by a part of a description; it is told ours.
    Restart(String, oneshot::Sender<Result<String, PeerFault>>),
}

/// A session, from outside.
#[derive(Clone, Debug)]
pub(super) struct Session {
    resume_hash: String,
    pub(super) to: mpsc::Sender<ToSession>,
    /// Names the ICE session that both ends have agreed on, to who changes it by HTTP.
    ice: watch::Receiver<Ice>,
}

/// The name of an ICE session at each end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ice {
    pub(super) ours: String,
    pub(super) theirs: String,
}

impl Ice {
    fn of(answer: &str, offer: &str) -> Self {
        let ufrag = |sdp| fragment::value(sdp, "ice-ufrag").unwrap_or_default().to_owned();
        Self { ours: ufrag(answer), theirs: ufrag(offer) }
    }
}

impl Session {
    /// Whether the secret is this session's.
    pub(super) fn opens(&self, resume: &str) -> bool {
        super::super::access::opens(resume, &self.resume_hash)
    }

    /// The ICE session as it stands.
    pub(super) fn ice(&self) -> Ice {
        self.ice.borrow().clone()
    }
}

/// A call that has begun.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) call: CallId,
    pub(super) session: Session,
    /// Takes the call up again.
    pub(super) resume: String,
    /// The answer to the offer, with our candidates where no page is there to be told of them.
    pub(super) answer: String,
}

impl Browsers {
    /// Begins a call for an offer.
    pub(super) async fn begin(
        &self,
        flow: String,
        from: IpAddr,
        offer: &str,
        page: Option<mpsc::Sender<ToPage>>,
    ) -> Result<Begun, BeginFault> {
        let reach = self.side().reach.clone();
        let settings = PeerSettings { reach, seed: rand::random() };
        let Opened { peer, leg, shown, mut events } = Peer::open(&settings).await?;
        let answered = match peer.answer(offer).await {
            Ok(answer) if page.is_none() => Ok(gathered(&peer, &mut events, answer).await),
            other => other,
        };
        let answer = match answered {
            Ok(answer) => answer,
            Err(fault) => {
                peer.close().await;
                self.refused("offer");
                return Err(fault.into());
            }
        };
        let wanted = BrowserCall { flow, from: format!("browser:{from}") };
        let call = match (self.side().seat)(wanted, leg) {
            Ok(call) => call,
            Err(why) => {
                peer.close().await;
                return Err(BeginFault::NotTaken(why));
            }
        };
        let resume = secret();
        let (to, said) = mpsc::channel(SAID);
        let (ice, stands) = watch::channel(Ice::of(&answer, offer));
        let session = Session { resume_hash: token_hash(&resume), to, ice: stands };
        self.sessions().insert(call.clone(), session.clone());
        let running = Running {
            browsers: self.clone(),
            ice,
            call: call.clone(),
            resume: resume.clone(),
            peer,
            page,
            away_most: self.side().away_most,
            gone_at: Some(clock::monotonic() + CONNECTED_WITHIN),
            connected: false,
            state: None,
            line: None,
            said_last: VecDeque::new(),
            held: false,
            far_buffer: FAR_BUFFER,
        };
        tokio::spawn(async move {
            let (browsers, call) = (running.browsers.clone(), running.call.clone());
            running.run(shown, events, said).await;
            browsers.sessions().remove(&call);
        });
        Ok(Begun { call, session, resume, answer })
    }

    /// The session of a call, for who has its secret.
    pub(super) fn session(&self, call: &str, resume: &str) -> Option<Session> {
        let session = self.sessions().get(&CallId(call.to_owned())).cloned();
        session.filter(|session| session.opens(resume))
    }
}

/// Something that nobody guesses: 192 bits.
pub(super) fn secret() -> String {
    use base64::Engine as _;
    let bytes: [u8; 24] = rand::random();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The answer with our candidates in it.
async fn gathered(peer: &Peer, events: &mut mpsc::Receiver<PeerEvent>, answer: String) -> String {
    let all = async {
        while let Some(event) = events.recv().await {
            if matches!(event, PeerEvent::Candidate(None)) {
                return;
            }
        }
    };
    // What is not known by then is not needed: the browser finds us by our first address.
    drop(tokio::time::timeout(GATHERED_WITHIN, all).await);
    peer.description().await.unwrap_or(answer)
}

/// A session at work.
struct Running {
    browsers: Browsers,
    ice: watch::Sender<Ice>,
    call: CallId,
    resume: String,
    peer: Peer,
    page: Option<mpsc::Sender<ToPage>>,
    away_most: Duration,
    /// When the caller is given up, while nothing comes from them.
    gone_at: Option<Duration>,
    /// Whether sound has ever flowed.
    connected: bool,
    /// What a page that comes back is shown.
    state: Option<ToPage>,
    line: Option<ToPage>,
    /// What was said last, both sides: what a page missed is among it.
    said_last: VecDeque<ToPage>,
    /// Whether the caller has put us on hold.
    held: bool,
    /// What the browser holds that it has not played, as it said last.
    far_buffer: Duration,
}

impl Running {
    async fn run(
        mut self,
        mut shown: mpsc::Receiver<Shown>,
        mut events: mpsc::Receiver<PeerEvent>,
        mut said: mpsc::Receiver<ToSession>,
    ) {
        let over = self.peer.end.over.clone();
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = over.cancelled() => break,
                Some(shown) = shown.recv() => self.show(shown.into()),
                Some(event) = events.recv() => self.happened(event),
                Some(said) = said.recv() => self.told(said).await,
                _ = look.tick(), if self.gone_at.is_some() => self.mind_absence(),
            }
        }
        // What it came to is said just before the call hangs up, or just after.
        let rest = async {
            while let Some(last) = shown.recv().await {
                let is_end = matches!(last, Shown::Ended { .. });
                self.show(last.into());
                if is_end {
                    return;
                }
            }
        };
        drop(tokio::time::timeout(ENDED_WITHIN, rest).await);
        self.page = None;
        self.peer.close().await;
    }

    /// Gives up who has been away for too long.
    fn mind_absence(&mut self) {
        if self.gone_at.take_if(|at| clock::monotonic() >= *at).is_some() {
            self.end(EndCause::Lost);
        }
    }

    fn show(&mut self, message: ToPage) {
        match &message {
            ToPage::State { .. } => self.state = Some(message.clone()),
            ToPage::Assistant { done: false, .. } => self.line = Some(message.clone()),
            ToPage::Assistant { done: true, .. } => {
                self.line = None;
                self.remember(&message);
            }
            ToPage::Caller { r#final: true, .. } => self.remember(&message),
            _ => {}
        }
        self.tell(message);
    }

    fn remember(&mut self, message: &ToPage) {
        if self.said_last.len() == REMEMBERED {
            self.said_last.pop_front();
        }
        self.said_last.push_back(message.clone());
    }

    fn tell(&mut self, message: ToPage) {
        let Some(page) = &self.page else { return };
        // A page that does not read is shown what comes next; one that is gone, nothing.
        if let Err(mpsc::error::TrySendError::Closed(_)) = page.try_send(message) {
            self.page = None;
        }
    }

    fn happened(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::Candidate(candidate) => {
                let candidate = candidate.map(|it| self.advertised(it));
                self.tell(ToPage::Candidate { candidate });
            }
            PeerEvent::Connected => {
                let was_away = self.gone_at.take().is_some() && self.connected;
                self.connected = true;
                // Who put us on hold before is not talked to for having been away.
                if was_away {
                    self.peer.end.tell(Word::FarBuffer(self.far_buffer));
                }
                match was_away {
                    true if self.held => false,
                    true => self.peer.end.tell(Word::Held(false)),
                    false => self.peer.end.tell(Word::Connected),
                };
            }
            PeerEvent::Away if self.connected && self.gone_at.is_none() => {
                self.gone_at = Some(clock::monotonic() + self.away_most);
                // What was sent since the browser was heard last has not reached it: it is said
                // again, so far as it belongs to the sentence that is being spoken.
                let unheard = self.peer.end.silent_for().min(UNHEARD_MAX) + self.far_buffer;
                self.peer.end.tell(Word::FarBuffer(unheard));
                self.peer.end.tell(Word::Held(true));
            }
            PeerEvent::Away => {}
            PeerEvent::Closed => self.end(EndCause::Bye),
        }
    }

    fn advertised(&self, mut candidate: serde_json::Value) -> serde_json::Value {
        if let Some(text) = candidate.get("candidate").and_then(|it| it.as_str()) {
            candidate["candidate"] = self.peer.advertise(text).into();
        }
        candidate
    }

    async fn told(&mut self, said: ToSession) {
        match said {
            ToSession::Back(page, offer) => {
                self.page = Some(page);
                self.answer(&offer).await;
                // A page knows what it has been shown before by its number.
                let last: Vec<ToPage> = self.said_last.iter().cloned().collect();
                let standing = [self.state.clone(), self.line.clone()].into_iter().flatten();
                last.into_iter().chain(standing).for_each(|message| self.tell(message));
            }
            ToSession::Said(said) => self.said(said).await,
            ToSession::Restart(part, tell) => {
                // Who asked and has gone is told nothing.
                drop(tell.send(self.restart(&part).await));
            }
        }
    }

    async fn said(&mut self, said: FromPage) {
        let end = &self.peer.end;
        match said {
            FromPage::Candidate { candidate: Some(candidate) } => {
                if let Err(fault) = self.peer.candidate(candidate).await {
                    self.browsers.refused("candidate");
                    tracing::debug!(call = %self.call, %fault, "a candidate was left out");
                }
            }
            FromPage::Offer { sdp } => self.answer(&sdp).await,
            FromPage::Key { digit } => {
                if cordboard_sip::dtmf::Key::from_sign(digit).is_some() {
                    end.tell(Word::Key(digit.to_ascii_uppercase()));
                }
            }
            FromPage::Hold { on } => {
                self.held = on;
                end.tell(Word::Held(on));
            }
            FromPage::Person => {
                end.tell(Word::WantsPerson);
            }
            FromPage::Stats { buffer_ms, rtt_ms } => {
                let held = buffer_ms.saturating_add(rtt_ms.unwrap_or(0) / 2);
                self.far_buffer = Duration::from_millis(held.min(FAR_BUFFER_MS_MAX).into());
                // Of what was sent to who is away, nothing is known yet.
                if self.gone_at.is_none() {
                    end.tell(Word::FarBuffer(self.far_buffer));
                }
            }
            FromPage::Bye => self.end(EndCause::Bye),
            // A muted microphone sends silence; the rest comes first or not at all.
            FromPage::Mute { .. }
            | FromPage::Candidate { candidate: None }
            | FromPage::Begin { .. }
            | FromPage::Resume { .. } => {}
        }
    }

    async fn answer(&mut self, offer: &str) {
        let (call, resume) = (self.call.0.clone(), self.resume.clone());
        match self.peer.answer(offer).await {
            Ok(sdp) => {
                self.ice.send_replace(Ice::of(&sdp, offer));
                self.tell(ToPage::Answer { call, resume, sdp });
            }
            Err(fault) => {
                self.browsers.refused("offer");
                self.tell(malformed(&fault.to_string()));
            }
        }
    }

    /// Takes a part of a description for an offer like the last, with another ICE session.
    async fn restart(&self, part: &str) -> Result<String, PeerFault> {
        let offer = self.peer.offer_with(part).await?;
        let answer =
            self.peer.answer(&offer).await.inspect_err(|_| self.browsers.refused("offer"))?;
        self.ice.send_replace(Ice::of(&answer, &offer));
        Ok(fragment::of(&self.peer.gathered(answer, GATHERED_WITHIN).await))
    }

    /// The caller is gone; the call hangs up by itself then.
    fn end(&self, cause: EndCause) {
        if !self.peer.end.tell(Word::Ended(cause)) {
            // So many words wait that it ends for want of sound.
            tracing::warn!(call = %self.call, "the end of a browser's call was not told");
        }
    }
}

/// A message that makes no sense.
pub(super) fn malformed(why: &str) -> ToPage {
    ToPage::Error {
        code: "malformed".to_owned(),
        message: why.to_owned(),
        remedy: "compare with schemas/browser-call.v1.json".to_owned(),
    }
}
