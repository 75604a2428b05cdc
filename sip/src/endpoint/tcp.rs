//! TCP and TLS connections that come in: bounded in number, and from those that we know only.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::Transport;
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::guests::Guest;
use super::stream::{Inlet, Stream};
use super::{Core, Tally, pump, tls};

/// Handshakes of TLS at once.
const MOST_HANDSHAKES: usize = 64;
/// Pause after the system has refused to accept (out of descriptors).
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the endpoint stops.
pub(super) async fn accept(
    listener: TcpListener,
    transport: Transport,
    core: Arc<Core>,
    stop: CancellationToken,
) {
    let Ok(local) = listener.local_addr() else { return };
    let local = SipAddr { r#type: Some(transport), addr: local.into() };
    let inlet = match transport {
        Transport::Tls => None,
        _ => Inlet::open(&core.stack.transport_layer).await.ok(),
    };
    let handshakes = Arc::new(Semaphore::new(MOST_HANDSHAKES));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, from)) = accepted else {
            pump::pass(PAUSE).await;
            continue;
        };
        let ip = from.ip();
        // Whom we ring may come back on a connection of its own.
        if !core.access.trusts(ip) && !core.access.may_dial(&ip.to_string(), Some(ip)) {
            Tally::count(&core.tally.untrusted);
            continue;
        }
        let Some(guest) = core.guests.admit(ip) else {
            Tally::count(&core.tally.refused);
            continue;
        };
        // Signalling is small messages that want an answer.
        let _ = stream.set_nodelay(true);
        let (local, stop) = (local.clone(), stop.clone());
        if let Some(inlet) = &inlet {
            read(&core, stream, (local, from), (inlet.clone(), guest), stop).await;
            continue;
        }
        let Ok(place) = Arc::clone(&handshakes).try_acquire_owned() else {
            Tally::count(&core.tally.refused);
            continue;
        };
        let core = Arc::clone(&core);
        tokio::spawn(async move {
            let token = stop.child_token();
            let greeted = tls::greet(&core, stream, (local, from), token).await;
            drop(place);
            if let Some(connection) = greeted {
                connection.over().await;
            }
            drop(guest);
        });
    }
}

/// Reads a connection of TCP until it is over.
async fn read(
    core: &Arc<Core>,
    stream: TcpStream,
    (local, from): (SipAddr, SocketAddr),
    (inlet, guest): (Inlet, Guest),
    stop: CancellationToken,
) {
    let Ok(connection) = TcpConnection::from_stream(stream, local, Some(stop.child_token())) else {
        return;
    };
    let Some(reader) = connection.inner.read_half.lock().await.take() else { return };
    let stream = Stream {
        connection: SipConnection::Tcp(connection),
        from,
        transport: Transport::Tcp,
        gate: Arc::clone(&core.gate),
        usher: Arc::clone(&core.usher),
        inlet,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = stream.run(reader) => {}
        }
        drop(guest);
    });
}
