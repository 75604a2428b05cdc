//! When a datagram came, by the system's word: whoever reads late still knows.
//!
//! Source: socket(7), `SO_TIMESTAMPNS`.

use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;

/// Asks for it; gives the room that `receive` wants, none where the system does not tell.
pub(super) fn begin(socket: &UdpSocket) -> Option<Vec<u8>> {
    setsockopt(socket, ReceiveTimestampns, &true).ok()?;
    Some(nix::cmsg_space!(TimeSpec))
}

/// As `recv_from`, and when it came: wall time since 1970.
pub(super) fn receive(
    socket: &UdpSocket,
    buffer: &mut [u8],
    room: &mut [u8],
) -> io::Result<(usize, SocketAddr, Option<Duration>)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::empty();
    let message = recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut parts, Some(room), flags)?;
    let from = message.address.as_ref().and_then(address);
    let from = from.ok_or(io::ErrorKind::InvalidData)?;
    let stamp = message.cmsgs().ok().into_iter().flatten().find_map(|it| match it {
        ControlMessageOwned::ScmTimestampns(at) => Some(Duration::from(at)),
        _ => None,
    });
    Ok((message.bytes, from, stamp))
}

fn address(from: &SockaddrStorage) -> Option<SocketAddr> {
    let four = from.as_sockaddr_in().map(|it| SocketAddr::V4((*it).into()));
    four.or_else(|| from.as_sockaddr_in6().map(|it| SocketAddr::V6((*it).into())))
}
