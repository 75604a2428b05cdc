//! What comes over a connection: cut into messages, judged as datagrams are, and given to
//! rsipstack, whose own reader gives up the whole connection at the first message it cannot read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::{SipMessage, Transport};
use rsipstack::transport::channel::ChannelConnection;
use rsipstack::transport::connection::TransportSender;
use rsipstack::transport::{SipAddr, SipConnection, TransportEvent, TransportLayer};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::mpsc;

use super::gate::{Gate, Judgement};
use super::pump;
use super::usher::{Usher, Way};
use super::wire::{self, Cut};

/// A connection without a byte for this long is given up.
const IDLE: Duration = Duration::from_secs(3600);
/// A message once begun, and the first of a connection, has this long to be whole.
const UNFINISHED: Duration = Duration::from_secs(10);
/// Read at a time, in bytes.
const CHUNK_BYTES: usize = 4096;
/// Pause where rsipstack is behind.
const PAUSE: Duration = Duration::from_millis(5);

/// The way into rsipstack for messages that it has not read itself.
#[derive(Clone)]
pub(super) struct Inlet {
    sender: TransportSender,
}

impl Inlet {
    /// Opens it.
    pub(super) async fn open(layer: &TransportLayer) -> rsipstack::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        // rsipstack forwards what comes out of a channel's connection; nothing is sent to it.
        let (nowhere, _) = mpsc::unbounded_channel();
        let address = SipAddr { r#type: None, addr: SocketAddr::from(([0, 0, 0, 0], 0)).into() };
        let channel =
            ChannelConnection::create_connection(receiver, nowhere, address, None).await?;
        layer.add_connection(channel.into());
        Ok(Self { sender })
    }
}

/// One connection's reader.
pub(super) struct Stream {
    pub(super) connection: SipConnection,
    pub(super) from: SocketAddr,
    pub(super) transport: Transport,
    pub(super) gate: Arc<Gate>,
    pub(super) usher: Arc<Usher>,
    pub(super) inlet: Inlet,
}

impl Stream {
    /// Reads until the far side has closed, is silent too long, or cannot be followed.
    pub(super) async fn run(self, reader: impl AsyncRead + Unpin) {
        self.read(reader).await;
        if let Some(token) = self.connection.cancel_token() {
            token.cancel();
        }
        let _ = tokio::time::timeout(UNFINISHED, self.connection.close()).await;
    }

    async fn read(&self, mut reader: impl AsyncRead + Unpin) {
        let mut buffer = Vec::with_capacity(CHUNK_BYTES);
        let mut patience = UNFINISHED;
        loop {
            if buffer.is_empty() {
                let begun = tokio::time::timeout(patience, more(&mut reader, &mut buffer));
                if !matches!(begun.await, Ok(true)) {
                    return;
                }
            }
            // Each message has its time as a whole, not each of its bytes.
            let whole = tokio::time::timeout(UNFINISHED, next(&mut reader, &mut buffer));
            let Ok(Some(cut)) = whole.await else { return };
            if !self.serve(cut, &mut buffer).await {
                return;
            }
            if matches!(cut, Cut::Message(_)) {
                patience = IDLE;
            }
        }
    }

    /// Takes what was cut off the buffer; whether the connection goes on.
    async fn serve(&self, cut: Cut, buffer: &mut Vec<u8>) -> bool {
        let (goes_on, length) = match cut {
            Cut::More | Cut::Begun(_) => (true, 0),
            Cut::Blank(length) => (length < 4 || self.say(b"\r\n").await, length),
            Cut::Message(length) => {
                wire::mend(&mut buffer[..length]);
                (self.take(&buffer[..length]).await, length)
            }
            Cut::Lost(code) => {
                if let Some(answer) = self.gate.lost(buffer, self.from.ip(), code) {
                    self.say(&answer).await;
                }
                (false, 0)
            }
        };
        buffer.drain(..length);
        buffer.shrink_to(CHUNK_BYTES);
        goes_on
    }

    /// One message; whether the connection goes on.
    async fn take(&self, message: &[u8]) -> bool {
        if !self.gate.hears(self.from.ip(), message) {
            return false;
        }
        match self.gate.judge(message, self.from, self.transport) {
            Judgement::Pass(message) => {
                if let SipMessage::Request(request) = &*message {
                    match self.usher.decide(request, self.from) {
                        Way::In => {}
                        Way::Answer(response) => return self.say(&response.to_bytes()).await,
                        Way::Silence => return true,
                    }
                }
                while !self.gate.enter() {
                    pump::pass(PAUSE).await;
                }
                let from = SipAddr { r#type: Some(self.transport), addr: self.from.into() };
                let event = TransportEvent::Incoming(*message, self.connection.clone(), from);
                self.inlet.sender.send(event).is_ok()
            }
            Judgement::Refuse(Some(answer)) => self.say(&answer).await,
            Judgement::KeepAlive | Judgement::Refuse(None) => true,
        }
    }

    /// Whether it could be said, in time.
    async fn say(&self, bytes: &[u8]) -> bool {
        let SipConnection::Tcp(connection) = &self.connection else { return true };
        let sent = tokio::time::timeout(UNFINISHED, connection.inner.send_raw(bytes));
        matches!(sent.await, Ok(Ok(())))
    }
}

/// Reads until something can be cut off the buffer.
async fn next(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Cut> {
    let mut seen = 0;
    loop {
        let wanted = match wire::cut(buffer, seen) {
            Cut::More => {
                seen = buffer.len();
                seen + 1
            }
            Cut::Begun(length) => length,
            cut @ (Cut::Blank(_) | Cut::Message(_) | Cut::Lost(_)) => return Some(cut),
        };
        while buffer.len() < wanted {
            if !more(reader, buffer).await {
                return None;
            }
        }
    }
}

/// Reads on; `false` where there is no more.
async fn more(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> bool {
    buffer.reserve(CHUNK_BYTES);
    matches!(reader.read_buf(buffer).await, Ok(length) if length > 0)
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    #[tokio::test]
    async fn a_message_that_comes_in_two_pieces_is_one_wherever_it_is_cut() {
        let message = b"INVITE sip:a@b SIP/2.0\r\nContent-Length: 12\r\n\r\nv=0\r\n\r\no=- 1";
        for at in 1..message.len() {
            let (first, second) = message.split_at(at);
            let (mut reader, mut buffer) = (first.chain(second), Vec::new());
            assert!(more(&mut reader, &mut buffer).await);
            let cut = next(&mut reader, &mut buffer).await;
            assert_eq!(cut, Some(Cut::Message(message.len())), "after {at} bytes");
        }
    }
}
