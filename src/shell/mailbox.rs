//! What reaches a media worker from elsewhere.

use cordboard_sip::endpoint::LegSignal;
use crossbeam_channel::Sender;

use super::media::NewCall;
use super::seat::LineId;
use crate::call::Input;

/// Number of a call's seat, unique in the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SeatId(pub(crate) u64);

/// What reaches a media worker.
#[derive(Debug)]
pub(crate) enum ToWorker {
    /// A call takes a seat.
    Open(Box<NewCall>),
    /// The signalling of a leg has something to say.
    Signal(SeatId, LineId, LegSignal),
    /// An input for a call.
    Give(SeatId, Input<'static>),
    /// All calls say goodbye; the worker ends when the last has.
    Stop,
}

/// Where the result of a job goes; a seat that is gone drops it.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    /// The worker.
    pub(crate) worker: Sender<ToWorker>,
    /// The call.
    pub(crate) seat: SeatId,
}

impl ReplyTo {
    /// Gives an input to the call.
    pub(crate) fn give(&self, input: Input<'static>) {
        // The worker ends after its last call: nobody misses the result then.
        drop(self.worker.send(ToWorker::Give(self.seat, input)));
    }
}
