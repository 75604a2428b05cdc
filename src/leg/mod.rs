//! Legs: each turns its transport into the same `LegEvent`s and takes the same `LegCommand`s.
//!
//! A phone, a browser, a carrier's media stream, or this machine's sound card. No decision about a
//! call lives here.

pub(crate) mod browser;
#[cfg(feature = "device")]
pub(crate) mod device;
mod path;
mod phone;
mod stamps;
mod stream;

use cordboard_audio::MediaTime;
use cordboard_audio::codec::Codec;
use cordboard_sip::endpoint::LegSignal;

use crate::call::{LegCommand, LegEvent};

pub(crate) use phone::{MediaSettings, PhoneLeg, PhoneRefusal};
pub(crate) use stream::{CarrierEnd, StreamLeg, ToCarrier, Word, stream};

/// A leg of any kind.
#[derive(Debug)]
pub(crate) enum Leg {
    /// SIP and RTP.
    Phone(Box<PhoneLeg>),
    /// A carrier's stream.
    Stream(StreamLeg),
    /// A browser.
    Browser(Box<browser::BrowserLeg>),
    /// This machine's microphone and loudspeaker.
    #[cfg(feature = "device")]
    Device(Box<device::DeviceLeg>),
}

impl From<PhoneLeg> for Leg {
    fn from(leg: PhoneLeg) -> Self {
        Self::Phone(Box::new(leg))
    }
}

impl Leg {
    /// The codec that we send with, once agreed.
    pub(crate) fn codec(&self) -> Option<Codec> {
        match self {
            Self::Phone(leg) => leg.codec(),
            Self::Stream(leg) => Some(leg.codec()),
            Self::Browser(leg) => Some(leg.codec()),
            #[cfg(feature = "device")]
            Self::Device(leg) => Some(leg.codec()),
        }
    }

    /// What came and was of no use.
    pub(crate) fn garbage(&self) -> u64 {
        match self {
            Self::Phone(leg) => leg.garbage(),
            Self::Stream(leg) => leg.garbage(),
            Self::Browser(leg) => leg.garbage(),
            #[cfg(feature = "device")]
            Self::Device(leg) => leg.garbage(),
        }
    }

    /// Begins a tick's reading.
    pub(crate) fn refill(&mut self, now: MediaTime) {
        match self {
            Self::Phone(leg) => leg.refill(now),
            Self::Stream(leg) => leg.refill(),
            Self::Browser(leg) => leg.refill(),
            #[cfg(feature = "device")]
            Self::Device(leg) => leg.refill(),
        }
    }

    /// Reads on; `None` where nothing more has come, or the tick's share is used up.
    ///
    /// # Real-time
    /// No allocation, never waits.
    pub(crate) fn poll<'b>(
        &mut self,
        now: MediaTime,
        buffer: &'b mut [u8],
    ) -> Option<LegEvent<'b>> {
        match self {
            Self::Phone(leg) => leg.poll(now, buffer),
            Self::Stream(leg) => leg.poll(buffer),
            Self::Browser(leg) => leg.poll(now, buffer),
            #[cfg(feature = "device")]
            Self::Device(leg) => leg.poll(buffer),
        }
    }

    /// Does what the call wants of an existing leg.
    pub(crate) fn command(&mut self, command: &LegCommand) {
        match self {
            Self::Phone(leg) => leg.command(command),
            Self::Stream(leg) => leg.command(command),
            Self::Browser(leg) => leg.command(command),
            #[cfg(feature = "device")]
            Self::Device(leg) => leg.command(command),
        }
    }

    /// Whether this signal refuses a secured offer that may be made again without keys.
    pub(crate) fn is_refused_for_keys(&self, signal: &LegSignal) -> bool {
        match self {
            Self::Phone(leg) => leg.is_refused_for_keys(signal),
            Self::Stream(_) | Self::Browser(_) => false,
            #[cfg(feature = "device")]
            Self::Device(_) => false,
        }
    }

    /// Turns what the signalling says into events for the call, in order.
    pub(crate) fn signal(&mut self, signal: LegSignal) -> [Option<LegEvent<'static>>; 2] {
        match self {
            Self::Phone(leg) => leg.signal(signal),
            Self::Stream(_) | Self::Browser(_) => [None, None],
            #[cfg(feature = "device")]
            Self::Device(_) => [None, None],
        }
    }
}
