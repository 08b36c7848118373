//! A blocking transport as an asynchronous one.

use std::future::Future;
use std::io::{self, ErrorKind, Read, Write};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Longer than any handshake takes.
const TIMEOUT: Duration = Duration::from_secs(20);

/// A blocking transport. [`finish`] polls without pause; a pending operation still wakes its task.
#[derive(Debug)]
pub(crate) struct Blocking<IO>(pub(crate) IO);

fn poll_blocking<T>(
    cx: &Context<'_>,
    mut action: impl FnMut() -> io::Result<T>,
) -> Poll<io::Result<T>> {
    loop {
        match action() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            done => return Poll::Ready(done),
        }
    }
}

impl<IO: Read + Unpin> AsyncRead for Blocking<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_blocking(cx, || {
            let read = self.0.read(buf.initialize_unfilled())?;
            buf.advance(read);
            Ok(())
        })
    }
}

impl<IO: Write + Unpin> AsyncWrite for Blocking<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        poll_blocking(cx, || self.0.write(buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        poll_blocking(cx, || self.0.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

/// Polls a future on this thread until it is ready. `None` after a timeout.
pub(crate) fn finish<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let start = Instant::now();
    while start.elapsed() < TIMEOUT {
        if let Poll::Ready(done) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return Some(done);
        }
        std::thread::yield_now();
    }
    None
}
