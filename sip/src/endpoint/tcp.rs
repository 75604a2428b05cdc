//! TCP connections that come in: bounded in number, and from those that we know only.

use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::Transport;
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::stream::{Inlet, Stream};
use super::{Core, Tally, pump};

/// Pause after the system has refused to accept (out of descriptors).
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the endpoint stops.
pub(super) async fn accept(listener: TcpListener, core: Arc<Core>, stop: CancellationToken) {
    let Some(local) = core.addresses.tcp else { return };
    let Ok(inlet) = Inlet::open(&core.stack.transport_layer).await else { return };
    let local = SipAddr { r#type: Some(Transport::Tcp), addr: local.into() };
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
        let token = Some(stop.child_token());
        let Ok(connection) = TcpConnection::from_stream(stream, local.clone(), token) else {
            continue;
        };
        let Some(reader) = connection.inner.read_half.lock().await.take() else { continue };
        let stream = Stream {
            connection: SipConnection::Tcp(connection),
            from,
            transport: Transport::Tcp,
            gate: Arc::clone(&core.gate),
            usher: Arc::clone(&core.usher),
            inlet: inlet.clone(),
        };
        let stop = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = stream.run(reader) => {}
            }
            drop(guest);
        });
    }
}
