//! Connections of OpenSSL for tasks of tokio.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use ::openssl::ssl::{self, ErrorCode, SslRef};
use ::tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use backend_openssl::Connection;
use backend_openssl::tokio_openssl::SslStream;

use super::details::OpenSslDetails;
use super::failure::{is_unexpected_eof, setup_error};
use super::outbox::Outbox;
use super::{OpenSsl, accepted, failed, offered, received_data, report, report_alert, sendable};
use crate::Error;
use crate::backend::AsyncBackend;
use crate::backend::sealed::{self, Attempt};
use crate::connection_info::{self, Details};
use crate::deadline::in_time;
use crate::host::Host;
use crate::tokio::Stream;
use crate::transport::{AsyncIo, is_end};

/// The most bytes of a record's content (RFC 8446, section 5.1). A longer write makes several
/// records, and the buffer might be full after the first.
const RECORD: usize = 16 * 1024;

impl AsyncBackend for OpenSsl {}

impl<IO: AsyncIo> Stream<OpenSsl, IO> {
    /// The `SSL` object, for its own methods.
    pub fn ssl(&self) -> &SslRef {
        self.tls.stream.ssl()
    }
}

impl sealed::AsyncBackend for OpenSsl {
    type AsyncTls<IO: AsyncIo> = AsyncTls<IO>;

    async fn handshake_async<IO: AsyncIo>(
        &self,
        host: &Host,
        attempt: Attempt<'_>,
        io: IO,
        deadline: impl Future<Output = ()> + Send,
    ) -> Result<(AsyncTls<IO>, usize), Error> {
        let early = attempt.early;
        let ssl = self.ssl(host, attempt)?;
        let early = sendable(&ssl, early);
        let stream = SslStream::new(ssl, Outbox::new(io));
        let stream = stream.map_err(|error| setup_error(host.as_str(), error))?;
        let mut tls = AsyncTls {
            stream,
            is_over: false,
        };
        let mut deadline = pin!(deadline);
        let connected = in_time(deadline.as_mut(), tls.connect(early)).await;
        tls.is_over = true;
        let ssl = tls.stream.ssl();
        let is_offered = offered(ssl);
        let evidence = tls.stream.get_ref().evidence(is_offered);
        let of_transport =
            |error| Error::of_transport(host.as_str(), evidence, error).with_offered(is_offered);
        let sent = match connected {
            Ok(Ok(sent)) => sent,
            Ok(Err(error)) => return Err(failed(host, evidence, ssl, error)),
            Err(timed_out) => return Err(of_transport(timed_out)),
        };
        // The client's last message may still be in the buffer.
        let flushed = in_time(deadline, poll_fn(|cx| tls.outbox().poll_send(cx))).await;
        flushed.flatten().map_err(of_transport)?;
        let ssl = tls.stream.ssl();
        report(ssl, |handle| handle.handshake_succeeded(ssl));
        let accepted = accepted(tls.stream.ssl(), sent);
        Ok((tls, accepted))
    }
}

/// A connection of OpenSSL with its transport.
pub struct AsyncTls<IO> {
    stream: SslStream<Outbox<IO>>,
    /// Whether the handshake has succeeded or failed.
    is_over: bool,
}

impl<IO> Drop for AsyncTls<IO> {
    /// Cancels a handshake that is not over.
    fn drop(&mut self) {
        if !self.is_over {
            report(self.stream.ssl(), Connection::cancel);
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

    /// Makes the handshake, with `early` after its first message; returns how much of it was sent.
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

impl<IO> connection_info::Connection for AsyncTls<IO> {
    fn details(&self) -> impl Details {
        OpenSslDetails(self.stream.ssl())
    }
}

impl<IO: AsyncIo> sealed::AsyncTls<IO> for AsyncTls<IO> {
    fn poll_read_ahead(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let peeked = ready!(self.stream().poll_peek(cx, &mut [0]));
        if let Err(error) = &peeked {
            report_alert(self.stream.ssl(), error);
        }
        Poll::Ready(match peeked {
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
        let has_space = buf.remaining() > 0;
        let read = ready!(self.stream().poll_read(cx, buf));
        if let Some(error) = read.as_ref().err().and_then(of_openssl) {
            report_alert(self.stream.ssl(), error);
        }
        let read = match read {
            // tokio-openssl reports a truncated connection as the end.
            Ok(())
                if has_space && buf.filled().len() == before && !self.received_close_notify(cx) =>
            {
                Err(io::ErrorKind::UnexpectedEof.into())
            }
            Err(error) if is_truncated(&error) => {
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, error))
            }
            done => {
                if buf.filled().len() > before {
                    received_data(self.stream.ssl());
                }
                done
            }
        };
        if read.as_ref().is_err_and(|error| is_end(error.kind())) {
            report(self.stream.ssl(), Connection::transport_ended);
        }
        Poll::Ready(read)
    }
}

impl<IO: AsyncIo> AsyncTls<IO> {
    fn received_close_notify(&mut self, cx: &mut Context<'_>) -> bool {
        let peeked = self.stream().poll_peek(cx, &mut [0]);
        matches!(peeked, Poll::Ready(Err(error)) if error.code() == ErrorCode::ZERO_RETURN)
    }
}

fn is_truncated(error: &io::Error) -> bool {
    of_openssl(error).is_some_and(is_unexpected_eof)
}

/// The error of OpenSSL in an error of tokio-openssl.
fn of_openssl(error: &io::Error) -> Option<&ssl::Error> {
    error.get_ref()?.downcast_ref()
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
        // The outbox notes the flush.
        ready!(self.stream().poll_flush(cx))?;
        self.outbox().poll_send(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.outbox().poll_send(cx))?;
        if self.outbox().is_closing() {
            // A second `SSL_shutdown` would wait for the server's close_notify.
            return Pin::new(self.outbox()).poll_shutdown(cx);
        }
        let shut = self.stream().poll_shutdown(cx);
        if let Poll::Ready(Ok(())) = shut {
            report(self.stream.ssl(), Connection::closed);
        }
        shut
    }
}
