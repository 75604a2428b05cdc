//! TCP connections that come in: bounded in number, and from those that we know only.

use std::sync::Arc;
use std::time::Duration;

use rsipstack::sip::Transport;
use rsipstack::transport::tcp::TcpConnection;
use rsipstack::transport::{SipAddr, SipConnection};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Core, Tally, pump};

/// Connections at once; each costs some 200 KiB in rsipstack.
const MOST_CONNECTIONS: usize = 512;
/// Pause after the system has refused to accept (out of descriptors).
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the endpoint stops.
pub(super) async fn accept(listener: TcpListener, core: Arc<Core>, stop: CancellationToken) {
    let Some(local) = core.addresses.tcp else { return };
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
        let layer = &core.stack.transport_layer;
        if layer.connections_count() >= MOST_CONNECTIONS {
            Tally::count(&core.tally.refused);
            continue;
        }
        // Signalling is small messages that want an answer.
        let _ = stream.set_nodelay(true);
        let token = Some(stop.child_token());
        if let Ok(connection) = TcpConnection::from_stream(stream, local.clone(), token) {
            layer.add_connection(SipConnection::Tcp(connection));
        }
    }
}
