//! The UDP socket, with somebody at the door: what rsipstack would drop without a word, or
//! should never see, is dealt with before it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use rsipstack::Result;
use rsipstack::sip::Transport;
use rsipstack::transport::connection::MAX_UDP_BUF_SIZE;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::confined::Kept;
use super::gate::{Gate, Judgement};
use super::{Tally, wire};

/// Room for a burst of calls while the task is not scheduled, in bytes.
const SOCKET_BUFFER_BYTES: usize = 1 << 20;

/// Opens a socket with room for bursts.
pub(super) fn open(address: SocketAddr) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // The system may give less than asked; it still works, with less room.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

/// See the module.
pub(super) struct Doorman {
    socket: UdpSocket,
    gate: Arc<Gate>,
    tally: Arc<Tally>,
    /// Where alone anything may go, where that is bounded.
    kept: Option<Kept>,
}

impl Doorman {
    pub(super) fn new(
        socket: UdpSocket,
        gate: Arc<Gate>,
        tally: Arc<Tally>,
        kept: Option<Kept>,
    ) -> Self {
        Self { socket, gate, tally, kept }
    }

    async fn send(&self, bytes: &[u8], to: SocketAddr) -> Result<usize> {
        if self.kept.as_ref().is_some_and(|it| !it.allows(to.ip())) {
            tracing::debug!(%to, "nothing is sent to an address that was not given");
            return Ok(bytes.len());
        }
        Ok(self.socket.send_to(bytes, to).await?)
    }

    async fn receive(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr)> {
        loop {
            let (length, from) = self.socket.recv_from(buffer).await?;
            if !self.gate.hears(from.ip(), &buffer[..length]) {
                continue;
            }
            // One that fills the buffer has most likely lost its end.
            if length >= MAX_UDP_BUF_SIZE {
                Tally::count(&self.tally.malformed);
                self.gate.offended(from.ip());
                continue;
            }
            wire::mend(&mut buffer[..length]);
            let length = with_length(buffer, length);
            match self.gate.judge(&buffer[..length], from, Transport::Udp) {
                Judgement::Pass(_) if self.gate.enter() => return Ok((length, from)),
                // It will be repeated.
                Judgement::Pass(_) => Tally::count(&self.tally.shed),
                Judgement::KeepAlive => return Ok((length, from)),
                Judgement::Refuse(Some(answer)) => drop(self.socket.try_send_to(&answer, from)),
                Judgement::Refuse(None) => {}
            }
        }
    }
}

/// Says how long the body is where the sender did not: rsipstack takes silence for zero.
fn with_length(buffer: &mut [u8], length: usize) -> usize {
    let message = &buffer[..length];
    let first_line = message.iter().position(|it| *it == b'\n');
    let Some((at, body)) = first_line.zip(wire::unsaid_body(message)) else { return length };
    let line = format!("Content-Length: {body}\r\n");
    let (at, longer) = (at + 1, length + line.len());
    if longer >= buffer.len() {
        return length;
    }
    buffer.copy_within(at..length, at + line.len());
    buffer[at..at + line.len()].copy_from_slice(line.as_bytes());
    longer
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + Send + 'a>>;

impl rsipstack::platform::net::UdpSocket for Doorman {
    fn recv_from<'a, 'b, 'c>(&'a self, buffer: &'b mut [u8]) -> Answer<'c, (usize, SocketAddr)>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.receive(buffer))
    }

    fn send_to<'a, 'b, 'c>(&'a self, bytes: &'b [u8], to: SocketAddr) -> Answer<'c, usize>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        Box::pin(self.send(bytes, to))
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }
}
