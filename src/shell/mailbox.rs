//! What reaches a media worker from elsewhere.
//!
//! A channel's own waiting spins and yields before it sleeps, twice, which pays where the next
//! letter is near; here it is mostly a whole tick away. So the worker parks, and whoever posts
//! wakes it, where it said that it wants that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::Thread;
use std::time::Duration;

use cordboard_sip::endpoint::LegSignal;
use crossbeam_channel::{Receiver, SendError, Sender, unbounded};

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

/// A worker's mailbox, and the way into it.
pub(crate) fn mailbox() -> (Post, Mailbox) {
    let (post, letters) = unbounded();
    let bell = Arc::new(Bell::default());
    (Post { post, bell: bell.clone() }, Mailbox { letters, bell })
}

/// Wakes a worker that has parked.
#[derive(Debug, Default)]
struct Bell {
    worker: OnceLock<Thread>,
    /// Whether it wants to be woken.
    listens: AtomicBool,
}

/// The way into a worker's mailbox.
#[derive(Clone, Debug)]
pub(crate) struct Post {
    post: Sender<ToWorker>,
    bell: Arc<Bell>,
}

impl Post {
    /// Posts a letter, and wakes the worker where it waits for one.
    ///
    /// # Errors
    /// Gives it back where the worker has ended.
    pub(crate) fn send(&self, letter: ToWorker) -> Result<(), SendError<ToWorker>> {
        self.post.send(letter)?;
        // The worker says that it listens before it looks for a last time: one of the two sees the
        // other.
        if self.bell.listens.swap(false, Ordering::SeqCst)
            && let Some(worker) = self.bell.worker.get()
        {
            worker.unpark();
        }
        Ok(())
    }

    /// Whether all that was posted has been taken.
    pub(crate) fn is_empty(&self) -> bool {
        self.post.is_empty()
    }
}

/// A tests' worker, which waits at its channel.
#[cfg(test)]
impl From<Sender<ToWorker>> for Post {
    fn from(post: Sender<ToWorker>) -> Self {
        Self { post, bell: Arc::default() }
    }
}

/// A worker's mailbox.
#[derive(Debug)]
pub(crate) struct Mailbox {
    letters: Receiver<ToWorker>,
    bell: Arc<Bell>,
}

impl Mailbox {
    /// Waits for a letter for as long as it takes; none where nobody is left who could post one.
    pub(crate) fn wait(&self) -> Option<ToWorker> {
        self.letters.recv().ok()
    }

    /// Waits for a letter, or for so long; may end sooner.
    pub(crate) fn wait_for(&self, at_most: Duration) {
        self.bell.worker.get_or_init(std::thread::current);
        self.bell.listens.swap(true, Ordering::SeqCst);
        if self.letters.is_empty() {
            std::thread::park_timeout(at_most);
        }
        self.bell.listens.store(false, Ordering::SeqCst);
    }

    /// A letter, where one is there.
    pub(crate) fn take(&self) -> Option<ToWorker> {
        self.letters.try_recv().ok()
    }

    /// How many are there.
    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }
}

/// Where the result of a job goes; a seat that is gone drops it.
#[derive(Clone, Debug)]
pub(crate) struct ReplyTo {
    /// The worker.
    pub(crate) worker: Post,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const LONG: Duration = Duration::from_secs(20);

    #[test]
    fn a_letter_ends_the_wait_whenever_it_comes() {
        let (post, mailbox) = mailbox();
        let sender = std::thread::spawn(move || {
            for _ in 0..1_000 {
                post.send(ToWorker::Stop).expect("the worker takes it");
                while !post.is_empty() {
                    std::thread::yield_now();
                }
            }
        });
        let began = clock::monotonic();
        let mut taken = 0;
        while taken < 1_000 {
            mailbox.wait_for(LONG);
            taken += std::iter::from_fn(|| mailbox.take()).count();
        }
        assert!(clock::monotonic() - began < LONG);
        sender.join().expect("it posted all");
    }

    #[test]
    fn a_wait_without_a_letter_ends_by_itself() {
        let (post, mailbox) = mailbox();
        let began = clock::monotonic();
        let wait = Duration::from_millis(20);
        while clock::monotonic() - began < wait {
            mailbox.wait_for(wait);
        }
        assert!(mailbox.take().is_none() && post.is_empty());
        drop(post);
        assert!(mailbox.wait().is_none());
    }
}
