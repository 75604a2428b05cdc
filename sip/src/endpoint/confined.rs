//! Keeping to the addresses that were named: a far end's contact, its route or its transport may
//! point anywhere, and nothing follows them.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;

use rsipstack::Result;
use rsipstack::sip::{Host, Transport, Uri};
use rsipstack::transaction::endpoint::TargetLocator;
use rsipstack::transport::SipAddr;

use super::dialog::uri_transport;
use crate::access::Access;

/// Whom anything may be sent to.
#[derive(Clone)]
pub(super) struct Kept(pub(super) Access);

impl Kept {
    /// Whether it may go there.
    pub(super) fn allows(&self, to: IpAddr) -> bool {
        self.0.knows(to)
    }

    /// Where a request to this goes; none where it may not.
    pub(super) fn place(&self, uri: &Uri) -> Option<SipAddr> {
        let Host::IpAddr(ip) = uri.host_with_port.host else { return None };
        let is_kept = self.allows(ip) && uri_transport(uri) == Transport::Udp;
        let port = uri.host_with_port.port.map_or(5060, |it| it.value());
        let addr = SocketAddr::new(ip, port).into();
        is_kept.then_some(SipAddr { r#type: Some(Transport::Udp), addr })
    }
}

impl TargetLocator for Kept {
    fn locate<'life0, 'life1, 'async_trait>(
        &'life0 self,
        uri: &'life1 Uri,
    ) -> Pin<Box<dyn Future<Output = Result<SipAddr>> + Send + 'async_trait>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        let place = self.place(uri);
        let refused = || rsipstack::Error::Error("not an address that was given".to_owned());
        Box::pin(async move { place.ok_or_else(refused) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_named_or_is_no_datagram_has_no_place() {
        let kept = Kept(Access::new(["127.0.0.1"], ["127.0.0.1"]).unwrap());
        let place = |uri: &str| kept.place(&uri.try_into().unwrap()).map(|it| it.addr.to_string());
        assert_eq!(place("sip:a@127.0.0.1:5070").as_deref(), Some("127.0.0.1:5070"));
        assert_eq!(place("sip:a@127.0.0.1").as_deref(), Some("127.0.0.1:5060"));
        for elsewhere in [
            "sip:a@127.0.0.2",
            "sip:a@example.com",
            "sip:a@127.0.0.1;transport=tcp",
            "sips:a@127.0.0.1",
        ] {
            assert_eq!(place(elsewhere), None, "{elsewhere}");
        }
    }
}
