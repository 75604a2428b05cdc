//! The UDP socket, with somebody at the door: what rsipstack would drop without a word, or
//! should never see, is dealt with before it.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use rsipstack::Result;
use rsipstack::sip::SipMessage;
use rsipstack::transport::connection::MAX_UDP_BUF_SIZE;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;

use super::Tally;
use super::wire::{self, Verdict};
use crate::access::Access;

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
    access: Access,
    tally: Arc<Tally>,
}

impl Doorman {
    pub(super) fn new(socket: UdpSocket, access: Access, tally: Arc<Tally>) -> Self {
        Self { socket, access, tally }
    }

    async fn receive(&self, buffer: &mut [u8]) -> Result<(usize, SocketAddr)> {
        loop {
            let (length, from) = self.socket.recv_from(buffer).await?;
            // One that fills the buffer has most likely lost its end.
            let datagram = buffer.get(..length).filter(|it| it.len() < MAX_UDP_BUF_SIZE);
            let verdict = datagram.map_or(Verdict::Garbage, wire::inspect);
            let answer = match verdict {
                Verdict::Message(answer) => {
                    if SipMessage::try_from(&buffer[..length]).is_ok() {
                        return Ok((length, from));
                    }
                    answer
                }
                Verdict::KeepAlive => return Ok((length, from)),
                Verdict::Wrong(answer) => Some(answer),
                Verdict::Scanner => {
                    Tally::count(&self.tally.scanners);
                    continue;
                }
                Verdict::Garbage => None,
            };
            Tally::count(&self.tally.malformed);
            // A stranger is told nothing, and cannot have us tell it to somebody else.
            if let Some(answer) = answer.filter(|_| self.access.trusts(from.ip())) {
                let _ = self.socket.try_send_to(&answer, from);
            }
        }
    }
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
        Box::pin(async move { Ok(self.socket.send_to(bytes, to).await?) })
    }

    fn local_addr(&self) -> Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }
}
