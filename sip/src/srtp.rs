//! Secured media: which trunks want it.

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
