//! A connection's sockets, each behind the [`Door`]: what is refused is counted and goes no
//! further, and a browser that has moved is followed.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime,
    TokioRuntime, Transmit,
};

use super::door::{Admitted, Door, Way};
use crate::clock;

/// What has come to one connection.
#[derive(Debug, Default)]
pub(super) struct Gate {
    door: Mutex<Door>,
    /// Datagrams that were refused here.
    refused: AtomicU64,
    /// Media that was let in since any was opened.
    media: AtomicU64,
    /// Media that proved to be the browser's.
    opened: AtomicU64,
    /// Media that did not.
    unopened: AtomicU64,
    /// When something came last that nobody else can have sent, ms.
    heard_ms: AtomicU64,
}

impl Gate {
    /// Opens to who has this description of ours.
    pub(super) fn open(&self, sdp: &str) {
        self.door().open(sdp);
    }

    /// A packet has been opened by the browser's key.
    pub(super) fn opened(&self) {
        self.heard();
        if self.opened.fetch_add(1, Ordering::Relaxed) == 0 {
            // What came before there were keys is not held against anybody.
            self.media.store(1, Ordering::Relaxed);
        }
    }

    /// What was let in has been looked at: a connection reads on when it is done with what it read.
    fn settle(&self) {
        let opened = self.opened.load(Ordering::Relaxed);
        let unopened = self.media.load(Ordering::Relaxed).saturating_sub(opened);
        if opened > 0 {
            self.unopened.fetch_max(unopened, Ordering::Relaxed);
        }
    }

    /// Datagrams that were no part of the call.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed) + self.unopened.load(Ordering::Relaxed)
    }

    /// How long nothing has come from the browser.
    pub(super) fn silent_for(&self) -> Duration {
        let heard_at = Duration::from_millis(self.heard_ms.load(Ordering::Relaxed));
        clock::monotonic().saturating_sub(heard_at)
    }

    fn heard(&self) {
        let now_ms = u64::try_from(clock::monotonic().as_millis()).unwrap_or(u64::MAX);
        self.heard_ms.store(now_ms, Ordering::Relaxed);
    }

    fn is_agreed(&self) -> bool {
        self.opened.load(Ordering::Relaxed) > 0
    }

    fn door(&self) -> MutexGuard<'_, Door> {
        self.door.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn admit(&self, datagram: &[u8], from: SocketAddr) -> Option<Admitted> {
        let admitted = self.door().admit(datagram, from, self.is_agreed());
        match admitted {
            None => drop(self.refused.fetch_add(1, Ordering::Relaxed)),
            Some(Admitted::Media) => drop(self.media.fetch_add(1, Ordering::Relaxed)),
            Some(Admitted::Check | Admitted::Answer) => self.heard(),
            Some(Admitted::Handshake) => {}
        }
        admitted
    }
}

/// tokio, with sockets behind a door.
#[derive(Debug)]
pub(super) struct Guarded(pub(super) Arc<Gate>);

impl Runtime for Guarded {
    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn spawn_reactor(
        &self,
        pool: usize,
        future: Pin<Box<dyn Future<Output = ()> + Send>>,
    ) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn_reactor(pool, future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let inner = TokioRuntime.wrap_udp_socket(socket)?;
        Ok(Arc::new(Socket { inner, gate: self.0.clone(), way: Mutex::default() }))
    }

    fn wrap_tcp_listener(
        &self,
        listener: std::net::TcpListener,
    ) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp<'a>(
        &'a self,
        to: SocketAddr,
    ) -> Pin<Box<dyn Future<Output = io::Result<Arc<dyn AsyncTcpStream>>> + Send + 'a>> {
        TokioRuntime.connect_tcp(to)
    }

    fn resolve_host<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<SocketAddr>>> + Send + 'a>> {
        TokioRuntime.resolve_host(host)
    }

    fn now(&self) -> Instant {
        TokioRuntime.now()
    }

    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        "tokio, guarded"
    }
}

#[derive(Debug)]
struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    gate: Arc<Gate>,
    way: Mutex<Way>,
}

impl Socket {
    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what may come in of the datagrams of one read, all of one source; and says where they
    /// come from. The kernel puts several of a length into one read, the last may be shorter.
    fn sift(&self, bytes: &mut [u8], meta: &mut RecvMeta) {
        let (now, from) = (clock::monotonic(), meta.addr);
        let stride = meta.stride.max(1);
        let mut kept = 0;
        for begin in (0..meta.len).step_by(stride) {
            let end = (begin + stride).min(meta.len);
            let Some(admitted) = self.gate.admit(&bytes[begin..end], from) else { continue };
            meta.addr = self.way().inward(now, from, admitted);
            bytes.copy_within(begin..end, kept);
            kept += end - begin;
        }
        meta.len = kept;
    }
}

impl AsyncUdpSocket for Socket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let size = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
        let is_stun = |datagram: &&[u8]| datagram[0] <= 3;
        if !transmit.contents.chunks(size).all(|it| is_stun(&it)) {
            self.way().select(clock::monotonic(), transmit.destination);
        }
        let destination = self.way().outward(transmit.destination);
        let sent = ready!(self.inner.poll_send(cx, &Transmit { destination, ..*transmit }));
        for question in transmit.contents.chunks(size).filter(is_stun) {
            self.gate.door().sent(question);
        }
        Poll::Ready(sent)
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        self.gate.settle();
        // Where nothing is left of a read, the next: the runtime's budget ends a flood's turn.
        loop {
            let read = match ready!(self.inner.poll_recv(cx, bufs, meta)) {
                Ok(read) => read,
                Err(error) => return Poll::Ready(Err(error)),
            };
            let mut is_any = read == 0;
            for (bytes, meta) in bufs.iter_mut().zip(meta.iter_mut()).take(read) {
                self.sift(bytes, meta);
                is_any |= meta.len > 0;
            }
            if is_any {
                return Poll::Ready(Ok(read));
            }
        }
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}
