//! The runtime that the sockets of remote engines live on: one thread of its own.
//!
//! The engines' traits block; a socket driven by the caller's own runtime could wait for itself.

use std::future::Future;
use std::sync::Arc;

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// A handle on the thread; it ends with the last of them, and all sockets with it.
#[derive(Clone, Debug)]
pub struct Network(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    handle: Handle,
    /// Dropped with the last handle, which is what the thread waits for.
    _stop: oneshot::Sender<()>,
}

impl Network {
    /// Starts the thread, and makes ring the process's TLS provider where none is yet.
    ///
    /// # Errors
    /// Where the system gives no thread or no poller.
    pub fn start() -> std::io::Result<Self> {
        // An error means that somebody was first: there is one then.
        drop(rustls::crypto::ring::default_provider().install_default());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::Builder::new().name("remote".to_owned());
        thread.spawn(move || drop(runtime.block_on(stopped)))?;
        Ok(Self(Arc::new(Inner { handle, _stop: stop })))
    }

    /// Runs a task on the thread.
    pub(super) fn spawn<F>(&self, task: F) -> AbortHandle
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.0.handle.spawn(task).abort_handle()
    }
}
