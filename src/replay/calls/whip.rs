//! A caller by WHIP (RFC 9725): the signalling of a [`Line`], and the tick's end of it.
//!
//! The connection lives on the runtime; the tick hands it frames and takes what came, by queues.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::{Receiver, Sender};
use tokio::sync::mpsc;

use super::browser::{Came, Line, LineFault};

/// Frames that wait to be sent, at most.
const WAITING: usize = 50;

/// Where a WHIP endpoint is, and what it is shown.
#[derive(Clone, Debug)]
pub struct WhipTarget {
    /// The endpoint.
    pub url: String,
    /// `Authorization: Bearer`; none asks a Cordboard for a token of one call.
    pub token: Option<String>,
}

/// Why a call by WHIP did not come to be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhipFault {
    /// The endpoint refused it.
    #[error("refused with {code}: {why}")]
    Refused {
        /// HTTP's status.
        code: u16,
        /// What it said.
        why: String,
    },
    /// Its media would be there, which was not given.
    #[error("its media is at {0}, which was not given")]
    Elsewhere(IpAddr),
    /// The endpoint was not reached.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// There is no connection.
    #[error(transparent)]
    Line(#[from] LineFault),
}

/// A call that an endpoint has taken.
#[derive(Debug)]
pub struct WhipCall {
    /// The connection.
    pub line: Line,
    http: Http,
    place: Option<reqwest::Url>,
}

impl WhipCall {
    /// Offers to an endpoint, from this address of ours, and waits until sound may flow. Nothing
    /// is sent to addresses that are not allowed. Needs a runtime.
    ///
    /// # Errors
    /// The first [`WhipFault`].
    pub async fn ring(
        target: &WhipTarget,
        allowed: &[IpAddr],
        from: IpAddr,
    ) -> Result<Self, WhipFault> {
        let (mut line, offer) = Line::offer(from).await?;
        let http = Http::new(target).await?;
        let (answer, place) = http.post(&target.url, offer).await?;
        if let Some(elsewhere) = candidates(&answer).find(|it| !allowed.contains(it)) {
            // It is not to stay there for want of us, nor are we for want of its farewell.
            let _ = http.delete(&place).await;
            line.close().await;
            return Err(WhipFault::Elsewhere(elsewhere));
        }
        line.accept(answer).await?;
        Ok(Self { line, http, place })
    }

    /// Where the endpoint has the session.
    #[must_use]
    pub fn place(&self) -> Option<&str> {
        self.place.as_ref().map(reqwest::Url::as_str)
    }

    /// Hangs up, and closes the connection.
    ///
    /// # Errors
    /// Where the endpoint did not take it; the connection is closed all the same.
    pub async fn hang_up(self) -> Result<(), WhipFault> {
        let deleted = self.http.delete(&self.place).await;
        self.line.close().await;
        Ok(deleted?)
    }
}

/// What the connection tells the tick.
#[derive(Debug)]
pub(super) enum News {
    /// Sound may flow: it comes here, and keys may be pressed or not.
    Connected { came: Receiver<Came>, takes_keys: bool },
    /// It was not to be.
    Failed(WhipFault),
    /// The far end has closed it.
    Ended,
}

/// What the tick wants of the connection.
#[derive(Debug)]
enum Order {
    Send(bytes::Bytes),
    Lose,
    Press(char, u32),
}

/// The tick's end of a connection; dropping it hangs up.
#[derive(Debug)]
pub(super) struct Whip {
    orders: mpsc::Sender<Order>,
    pub(super) news: Receiver<News>,
}

impl Whip {
    /// Begins a call; needs a runtime.
    pub(super) fn call(target: WhipTarget, allowed: Arc<[IpAddr]>, from: IpAddr) -> Self {
        let (orders, ordered) = mpsc::channel(WAITING);
        let (tell, news) = crossbeam_channel::unbounded();
        tokio::spawn(async move {
            let told = match WhipCall::ring(&target, &allowed, from).await {
                Ok(call) => talk(call, ordered, &tell).await,
                Err(fault) => Some(News::Failed(fault)),
            };
            if let Some(told) = told {
                // Who asked may have gone.
                let _ = tell.send(told);
            }
        });
        Self { orders, news }
    }

    /// Sends 20 ms; what the connection does not take is lost, as any packet may be.
    pub(super) fn send(&self, frame: &[u8]) {
        let _ = self.orders.try_send(Order::Send(bytes::Bytes::copy_from_slice(frame)));
    }

    /// Lets 20 ms be lost.
    pub(super) fn lose(&self) {
        let _ = self.orders.try_send(Order::Lose);
    }

    /// Presses a key from the next 20 ms on.
    pub(super) fn press(&self, digit: char, duration_ms: u32) {
        let _ = self.orders.try_send(Order::Press(digit, duration_ms));
    }
}

/// Does what is ordered until either side ends; what there is to be told then.
async fn talk(
    mut call: WhipCall,
    mut orders: mpsc::Receiver<Order>,
    tell: &Sender<News>,
) -> Option<News> {
    let (came, takes_keys) = (call.line.came().clone(), call.line.takes_keys());
    let _ = tell.send(News::Connected { came, takes_keys });
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Order::Send(frame)) => call.line.send(&frame).await,
                Some(Order::Lose) => call.line.lose(),
                Some(Order::Press(digit, duration_ms)) => {
                    call.line.press(digit, duration_ms);
                }
                None => {
                    // Closing the connection ends it too, if later.
                    let _ = call.hang_up().await;
                    return None;
                }
            },
            () = call.line.over() => {
                call.line.close().await;
                return Some(News::Ended);
            }
        }
    }
}

/// Addresses that a description has its media at.
fn candidates(description: &str) -> impl Iterator<Item = IpAddr> {
    description
        .lines()
        .filter_map(|line| line.trim().strip_prefix("a=candidate:"))
        .filter_map(|candidate| candidate.split_whitespace().nth(4)?.parse().ok())
}

/// The signalling.
#[derive(Debug)]
struct Http {
    client: reqwest::Client,
    token: Option<String>,
}

impl Http {
    async fn new(target: &WhipTarget) -> Result<Self, WhipFault> {
        // The client wants one, also where nothing is encrypted.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = reqwest::redirect::Policy::none();
        let client = reqwest::Client::builder().no_proxy().redirect(policy).build()?;
        let mut http = Self { client, token: None };
        http.token = match &target.token {
            Some(token) => Some(token.clone()),
            None => http.ask_for_token(&target.url).await,
        };
        Ok(http)
    }

    /// A Cordboard's `POST /v1/tokens`; none where there is nothing like it.
    async fn ask_for_token(&self, url: &str) -> Option<String> {
        let (base, flow) = url.split_once("/v1/whip/")?;
        let wanted = serde_json::json!({ "flow": flow });
        let asked =
            self.client.post(format!("{base}/v1/tokens")).json(&wanted).send().await.ok()?;
        let given: serde_json::Value = asked.error_for_status().ok()?.json().await.ok()?;
        given["token"].as_str().map(str::to_owned)
    }

    /// Offers; gives the answer, and where the session is.
    async fn post(
        &self,
        url: &str,
        offer: String,
    ) -> Result<(String, Option<reqwest::Url>), WhipFault> {
        let mut request = self.client.post(url).body(offer);
        request = request.header("content-type", "application/sdp");
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await?;
        let code = answer.status().as_u16();
        if !answer.status().is_success() {
            let why = answer.text().await.unwrap_or_default();
            return Err(WhipFault::Refused { code, why });
        }
        let location = answer.headers().get("location").and_then(|it| it.to_str().ok());
        let place = location.and_then(|it| answer.url().join(it).ok());
        // Nothing is sent to another address than the one given.
        let place = place.filter(|it| it.host() == answer.url().host());
        Ok((answer.text().await?, place))
    }

    async fn delete(&self, place: &Option<reqwest::Url>) -> Result<(), reqwest::Error> {
        let Some(place) = place else { return Ok(()) };
        let mut request = self.client.delete(place.clone());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        request.send().await?.error_for_status().map(drop)
    }
}
