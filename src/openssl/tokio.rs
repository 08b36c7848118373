//! OpenSSL driven by tasks of tokio.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use ::openssl::ssl::{self, ErrorCode, SslRef};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use ::tokio::time::Instant;
use backend_openssl::tokio_openssl::SslStream;
use store_core::SessionKey;

use super::facts::Known;
use super::failure::{is_unexpected_eof, of_failed, of_setup};
use super::outbox::Outbox;
use super::{OpenSsl, accepted, sendable};
use crate::Error;
use crate::backend::sealed;
use crate::facts::Facts;
use crate::tokio::{AsyncIo, Backend, Stream, in_time};

/// What one record holds. More would be several, of which only the first may find room.
const RECORD: usize = 16 * 1024;

impl Backend for OpenSsl {}

impl<IO: AsyncIo> Stream<OpenSsl, IO> {
    /// The `SSL` object, for what only OpenSSL can tell.
    pub fn ssl(&self) -> &SslRef {
        self.tls().stream.ssl()
    }
}

impl sealed::AsyncBackend for OpenSsl {
    type AsyncTls<IO: AsyncIo> = AsyncTls<IO>;

    async fn handshake_async<IO: AsyncIo>(
        &self,
        host: &str,
        key: Option<SessionKey>,
        early: &[u8],
        io: IO,
        end: Option<Instant>,
    ) -> Result<(AsyncTls<IO>, usize), Error> {
        let ssl = self.ssl(host, key).map_err(|error| of_setup(host, error))?;
        let early = sendable(&ssl, early);
        let stream = SslStream::new(ssl, Outbox::new(io));
        let stream = stream.map_err(|error| of_setup(host, error))?;
        let mut tls = AsyncTls {
            stream,
            is_over: false,
        };
        let connected = in_time(end, tls.connect(early)).await;
        tls.is_over = true;
        let sent = match connected {
            Ok(Ok(sent)) => sent,
            Ok(Err(error)) => return Err(of_failed(host, tls.stream.ssl().verify_result(), error)),
            Err(error) => return Err(Error::of_transport(host, error)),
        };
        // The client's last message, for a server that waits for it.
        let flushed = in_time(end, poll_fn(|cx| tls.outbox().poll_send(cx))).await;
        let flushed = flushed.flatten();
        flushed.map_err(|error| Error::of_transport(host, error))?;
        let accepted = accepted(tls.stream.ssl(), sent);
        Ok((tls, accepted))
    }
}

/// An OpenSSL connection.
pub struct AsyncTls<IO> {
    stream: SslStream<Outbox<IO>>,
    /// Whether the handshake has ended by itself, one way or the other.
    is_over: bool,
}

impl<IO> Drop for AsyncTls<IO> {
    /// In the midst of its handshake, it was given up.
    fn drop(&mut self) {
        if !self.is_over
            && let Some(handle) = backend_openssl::connection(self.stream.ssl())
        {
            handle.cancel();
        }
    }
}

impl<IO: AsyncIo> AsyncTls<IO> {
    fn stream(&mut self) -> Pin<&mut SslStream<Outbox<IO>>> {
        Pin::new(&mut self.stream)
    }

    fn outbox(&mut self) -> &mut Outbox<IO> {
        self.stream.get_mut()
    }

    /// Makes the handshake, with `early` behind its first message.
    async fn connect(&mut self, early: &[u8]) -> Result<usize, ssl::Error> {
        let sent = if early.is_empty() {
            0
        } else {
            self.stream().write_early_data(early).await?
        };
        self.stream().connect().await?;
        Ok(sent)
    }
}

impl<IO> fmt::Debug for AsyncTls<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncTls").finish_non_exhaustive()
    }
}

impl<IO: AsyncIo> sealed::AsyncTls<IO> for AsyncTls<IO> {
    fn facts(&self) -> impl Facts {
        Known(self.stream.ssl())
    }

    fn poll_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(match ready!(self.stream().poll_peek(cx, &mut [0])) {
            Ok(_) => Ok(()),
            Err(error) if error.code() == ErrorCode::ZERO_RETURN => Ok(()),
            Err(error) if is_unexpected_eof(&error) => Ok(()),
            Err(error) => Err(error.into_io_error().unwrap_or_else(io::Error::other)),
        })
    }

    fn io(&self) -> &IO {
        self.stream.get_ref().get_ref()
    }

    fn io_mut(&mut self) -> &mut IO {
        self.outbox().get_mut()
    }
}

impl<IO: AsyncIo> AsyncRead for AsyncTls<IO> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let room = buf.remaining() > 0;
        let read = ready!(self.stream().poll_read(cx, buf));
        Poll::Ready(match read {
            // A connection that was cut off is no connection that was closed.
            Ok(()) if room && buf.filled().len() == before && !self.has_farewell(cx) => {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Err(error) if is_cut_off(&error) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, error))
            }
            done => done,
        })
    }
}

impl<IO: AsyncIo> AsyncTls<IO> {
    /// Whether the server has said that it sends nothing more.
    fn has_farewell(&mut self, cx: &mut Context<'_>) -> bool {
        let peeked = self.stream().poll_peek(cx, &mut [0]);
        matches!(peeked, Poll::Ready(Err(error)) if error.code() == ErrorCode::ZERO_RETURN)
    }
}

fn is_cut_off(error: &io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    inner.is_some_and(is_unexpected_eof)
}

impl<IO: AsyncIo> AsyncWrite for AsyncTls<IO> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.outbox().poll_send(cx))?;
        self.stream().poll_write(cx, &buf[..buf.len().min(RECORD)])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Notes that it is owed.
        ready!(self.stream().poll_flush(cx))?;
        self.outbox().poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.outbox().poll_send(cx))?;
        if self.outbox().is_closing() {
            // Asked once more, OpenSSL would wait for the server's farewell.
            return Pin::new(self.outbox()).poll_shutdown(cx);
        }
        self.stream().poll_shutdown(cx)
    }
}
