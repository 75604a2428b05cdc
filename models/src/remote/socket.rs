//! A WebSocket seen from a thread that blocks: messages in and out through bounded queues, limits
//! kept by the task that drives it.
//!
//! Full queue outwards: [`RemoteFault::Lagging`]. Full queue inwards: the socket is given up.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_tungstenite::tungstenite::Bytes;
pub(super) use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::Error as WsError;
use tokio_tungstenite::tungstenite::handshake::client::Request;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::fault::{is_gone, retry_after};
use super::{Network, RemoteFault};

type Stream = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How exactly limits are kept.
const TICK: Duration = Duration::from_millis(20);
/// Messages that may wait for the network: 10 s of sound in 20 ms pieces.
const OUT_QUEUE: usize = 512;
/// Messages that may wait for the engine.
const IN_QUEUE: usize = 1_024;
/// Longest message taken.
const MESSAGE_BYTES_MAX: usize = 1 << 20;
/// Longest that one message may take to leave.
const SEND_WITHIN: Duration = Duration::from_secs(2);
/// Longest wait of the blocking side: every limit of the task is shorter.
const BLOCKED_MAX: Duration = Duration::from_secs(30);

/// What to connect to.
#[derive(Clone, Debug)]
pub(super) struct SocketPlan {
    pub(super) url: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) connect_within: Duration,
    /// Sent where nothing else was for so long.
    pub(super) keep_alive: Option<(Message, Duration)>,
}

/// What the connection gives.
#[derive(Debug, PartialEq)]
pub(super) enum Event {
    /// A text message.
    Text(String),
    /// No message for as long as [`Limits::gap`] allows.
    Quiet,
    /// [`Limits::whole`] has passed.
    Overdue,
    /// It is gone; nothing follows.
    Failed(RemoteFault),
}

/// How long messages may be waited for, from when it is set; none is for ever.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Limits {
    /// Between messages.
    pub(super) gap: Option<Duration>,
    /// In all.
    pub(super) whole: Option<Duration>,
}

enum Command {
    Send(Message),
    Limit(Limits),
}

/// A connection; dropping it closes it.
#[derive(Debug)]
pub(super) struct Socket {
    commands: mpsc::Sender<Command>,
    events: Receiver<Event>,
    task: AbortHandle,
}

impl Socket {
    /// Begins to connect, and takes messages at once.
    pub(super) fn open(network: &Network, plan: SocketPlan) -> Self {
        let (commands, wanted) = mpsc::channel(OUT_QUEUE);
        let (give, events) = sync_channel(IN_QUEUE);
        let task = network.spawn(async move {
            if let Err(fault) = drive(&plan, wanted, &give).await {
                // A full queue tells as much: its end is a failure too.
                drop(give.try_send(Event::Failed(fault)));
            }
        });
        Self { commands, events, task }
    }

    /// Sends a text.
    pub(super) fn text(&self, text: impl Into<String>) -> Result<(), RemoteFault> {
        self.command(Command::Send(Message::text(text.into())))
    }

    /// Sends bytes.
    pub(super) fn binary(&self, bytes: Vec<u8>) -> Result<(), RemoteFault> {
        self.command(Command::Send(Message::Binary(Bytes::from(bytes))))
    }

    /// Sets the limits, from now on.
    pub(super) fn limit(&self, limits: Limits) -> Result<(), RemoteFault> {
        self.command(Command::Limit(limits))
    }

    fn command(&self, command: Command) -> Result<(), RemoteFault> {
        self.commands.try_send(command).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => RemoteFault::Lagging,
            mpsc::error::TrySendError::Closed(_) => self.failure(),
        })
    }

    /// Why the task is gone: the last thing that it said.
    fn failure(&self) -> RemoteFault {
        let failed = |event| match event {
            Event::Failed(fault) => Some(fault),
            Event::Text(_) | Event::Quiet | Event::Overdue => None,
        };
        self.events.try_iter().find_map(failed).unwrap_or(RemoteFault::Closed)
    }

    /// The next event that is there already.
    pub(super) fn poll(&self) -> Option<Event> {
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Event::Failed(RemoteFault::Closed)),
        }
    }

    /// The next event; the limits bound the wait.
    pub(super) fn wait(&self) -> Event {
        match self.events.recv_timeout(BLOCKED_MAX) {
            Ok(event) => event,
            Err(RecvTimeoutError::Timeout) => Event::Overdue,
            Err(RecvTimeoutError::Disconnected) => Event::Failed(RemoteFault::Closed),
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn drive(
    plan: &SocketPlan,
    mut wanted: mpsc::Receiver<Command>,
    give: &SyncSender<Event>,
) -> Result<(), RemoteFault> {
    let connecting = timeout(plan.connect_within, connect(plan));
    let within_ms = u64::try_from(plan.connect_within.as_millis()).unwrap_or(u64::MAX);
    let late = |_| RemoteFault::Late { what: "a connection", within_ms };
    let mut stream = connecting.await.map_err(late)??;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut watch = Watch::default();
    let mut unsent = Duration::ZERO;
    loop {
        tokio::select! {
            command = wanted.recv() => match command {
                Some(Command::Send(message)) => {
                    unsent = Duration::ZERO;
                    send(&mut stream, message).await?;
                }
                Some(Command::Limit(limits)) => watch = Watch::new(limits),
                None => return Ok(()),
            },
            message = stream.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    watch.quiet = Duration::ZERO;
                    let full = |_| RemoteFault::Excess { limit: IN_QUEUE, unit: "messages" };
                    give.try_send(Event::Text(text.as_str().to_owned())).map_err(full)?;
                }
                Some(Ok(Message::Close(_))) | None => return Err(RemoteFault::Closed),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(cut(&error)),
            },
            _ = tick.tick() => {
                for event in watch.pass(TICK).into_iter().flatten() {
                    drop(give.try_send(event));
                }
                unsent += TICK;
                let due = plan.keep_alive.as_ref().filter(|(_, after)| unsent >= *after);
                if let Some((message, _)) = due {
                    unsent = Duration::ZERO;
                    send(&mut stream, message.clone()).await?;
                }
            }
        }
    }
}

/// What of the limits has passed.
#[derive(Debug, Default)]
struct Watch {
    limits: Limits,
    quiet: Duration,
    whole: Duration,
}

impl Watch {
    fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Lets time pass; each limit tells once.
    fn pass(&mut self, time: Duration) -> [Option<Event>; 2] {
        self.quiet += time;
        self.whole += time;
        let quiet = self.limits.gap.take_if(|gap| self.quiet >= *gap).map(|_| Event::Quiet);
        let whole = self.limits.whole.take_if(|whole| self.whole >= *whole);
        [quiet, whole.map(|_| Event::Overdue)]
    }
}

async fn connect(plan: &SocketPlan) -> Result<Stream, RemoteFault> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let connected = connect_async_with_config(request(plan)?, Some(config), true).await;
    connected.map(|(stream, _)| stream).map_err(|error| broken(&error))
}

fn request(plan: &SocketPlan) -> Result<Request, RemoteFault> {
    let request = plan.url.as_str().into_client_request();
    let mut request = request.map_err(|error| broken(&error))?;
    for (name, value) in &plan.headers {
        let unfit = |_: &dyn std::fmt::Display| RemoteFault::Malformed {
            why: format!("our own header {name:?}; check headers"),
        };
        let key = HeaderName::try_from(name.as_str()).map_err(|e| unfit(&e))?;
        let mut value = HeaderValue::try_from(value.as_str()).map_err(|e| unfit(&e))?;
        value.set_sensitive(true);
        request.headers_mut().insert(key, value);
    }
    Ok(request)
}

async fn send(stream: &mut Stream, message: Message) -> Result<(), RemoteFault> {
    match timeout(SEND_WITHIN, stream.send(message)).await {
        Ok(sent) => sent.map_err(|error| cut(&error)),
        Err(_) => Err(RemoteFault::Lagging),
    }
}

/// As [`broken`], of a connection that stood: a peer that is gone was reached before.
fn cut(error: &WsError) -> RemoteFault {
    match error {
        WsError::Io(error) if is_gone(error) => RemoteFault::Closed,
        other => broken(other),
    }
}

fn broken(error: &WsError) -> RemoteFault {
    match error {
        WsError::Http(response) => {
            let wait = response.headers().get("retry-after").and_then(|it| it.to_str().ok());
            let status = response.status().as_u16();
            RemoteFault::Refused { status, retry_after: retry_after(wait) }
        }
        WsError::ConnectionClosed | WsError::AlreadyClosed => RemoteFault::Closed,
        WsError::Protocol(
            tokio_tungstenite::tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
        ) => RemoteFault::Closed,
        WsError::Capacity(_) => RemoteFault::Excess { limit: MESSAGE_BYTES_MAX, unit: "bytes" },
        WsError::Io(error) => RemoteFault::Unreachable { why: error.to_string() },
        WsError::Tls(error) => RemoteFault::Unreachable { why: error.to_string() },
        other => RemoteFault::Malformed { why: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_tells_once_and_a_message_begins_the_gap_anew() {
        let ms = Duration::from_millis;
        let limits = Limits { gap: Some(ms(60)), whole: Some(ms(100)) };
        let mut watch = Watch::new(limits);
        assert_eq!(watch.pass(ms(40)), [None, None]);
        watch.quiet = Duration::ZERO;
        assert_eq!(watch.pass(ms(40)), [None, None]);
        assert_eq!(watch.pass(ms(20)), [Some(Event::Quiet), Some(Event::Overdue)]);
        assert_eq!(watch.pass(ms(500)), [None, None]);
    }
}
