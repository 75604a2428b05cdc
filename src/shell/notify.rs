//! What the service manager is told (sd_notify(3)): one datagram a word, to `NOTIFY_SOCKET`.

use std::ffi::OsStr;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where a service manager listens, if there is one.
#[derive(Clone, Debug)]
pub struct Supervisor(Option<SocketAddr>);

impl Supervisor {
    /// At the address that `NOTIFY_SOCKET` has: a path, or `@` and an abstract name.
    #[must_use]
    pub fn at(socket: Option<&OsStr>) -> Self {
        let address = socket.and_then(|socket| match socket.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
            _ => SocketAddr::from_pathname(socket).ok(),
        });
        Self(address)
    }

    /// Says "READY=1", "RELOADING=1", "STOPPING=1" or "WATCHDOG=1"; whether anybody was told.
    pub fn tell(&self, word: &str) -> bool {
        let Some(address) = &self.0 else { return false };
        let sent = UnixDatagram::unbound()
            .and_then(|socket| socket.send_to_addr(word.as_bytes(), address));
        if let Err(error) = &sent {
            tracing::warn!(%error, word, "the service manager cannot be told");
        }
        sent.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_manager_is_told_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        let name = format!("cordboard-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let abstract_listener = UnixDatagram::bind_addr(&address).unwrap();
        for (socket, listener) in
            [(path.into_os_string(), listener), (format!("@{name}").into(), abstract_listener)]
        {
            assert!(Supervisor::at(Some(&socket)).tell("READY=1"));
            let mut word = [0; 16];
            let length = listener.recv(&mut word).unwrap();
            assert_eq!(&word[..length], b"READY=1");
        }
        assert!(!Supervisor::at(None).tell("READY=1"));
        assert!(!Supervisor::at(Some(OsStr::new("/nowhere/at/all"))).tell("READY=1"));
    }
}
