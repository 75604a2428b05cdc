//! Secured media (RFC 3711): which trunks want it, the keys, packets closed and opened in place.
//!
//! The ciphers are `rtc-crypto`'s. What stands around them is ours, for three reasons of this
//! place: a packet that does not authenticate must leave nothing behind (a stranger may name a
//! new source in every datagram), nothing may be allocated on the 20 ms path, and a late packet
//! must not move the rollover counter. `rtc-srtp` is the independent peer of the tests.
//!
//! Absent: how keys travel ([`crate::negotiation`] writes them, RFC 4568), and DTLS.

mod cipher;
mod key;
mod open;
mod seal;
mod window;

pub use key::{KeyError, Keys, MasterKey, Suite};
pub use open::{Opener, Rejected};
pub use seal::Sealer;

/// Most bytes by which a sealed packet is longer than a plain one: GCM's tag and the SRTCP index.
pub const MAX_OVERHEAD_BYTES: usize = 20;

/// Whether the media of a trunk is secured (RFC 3711).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SrtpPolicy {
    /// Never: secure offers are refused.
    #[default]
    None,
    /// Where the peer can.
    Prefer,
    /// Always: what would be plain is refused.
    Require,
}

/// A key that no cipher takes, or a packet that no cipher can close: never the peer's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SrtpError {
    /// The ciphers refuse; a suite is offered that this build cannot do.
    #[error("api misuse: the cipher of {suite:?} refused")]
    Cipher {
        /// Which suite.
        suite: Suite,
    },
    /// The packet is none, or the buffer has no room for [`MAX_OVERHEAD_BYTES`] more.
    #[error("api misuse: no packet, or no room to seal it")]
    Room,
    /// 2^48 packets or 2^31 reports under one key (RFC 3711 §9.2): it must not be used again.
    #[error("the key is used up: negotiate another")]
    UsedUp,
}

#[cfg(test)]
mod tests;
