//! HTTP/3 by h3 over quinn: requests in early data, under the server's SETTINGS of the connection that the
//! session comes from (RFC 9114, section 7.2.4.2).
//!
//! h3 0.0.8 has no stable way to give SETTINGS to a client ("type=TODO" in its source), nor to read those of
//! the server. Both are here by its feature `i-implement-a-third-party-backend-and-opt-into-breaking-changes`,
//! so this works with this version of h3 alone. Settings that are given to h3 stay for the whole connection:
//! it ignores those that the server then sends. That is safe, because a server that accepts early data may
//! not reduce a limit, but a larger limit is not used before the next connection.

use std::error::Error;
use std::future::poll_fn;
use std::net::SocketAddr;

use h3::error::StreamError;
use h3::proto::frame::{Frame, SettingId, Settings};
use h3::{ConnectionState, client};
use hyper::http::Request;
use quinn::{Connection, Endpoint};
use tls_resume::ApplicationData;
use tls_resume::quinn::{Client, SessionData};

/// The settings that h3 regards. Others are not kept.
const REGARDED: [SettingId; 5] = [
    SettingId::MAX_HEADER_LIST_SIZE,
    SettingId::ENABLE_CONNECT_PROTOCOL,
    SettingId::H3_DATAGRAM,
    SettingId::ENABLE_WEBTRANSPORT,
    SettingId::WEBTRANSPORT_MAX_SESSIONS,
];

/// The answer to a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// Whether the server accepted the request as early data.
    pub early: bool,
    /// The largest header section, in bytes, that the server accepts, as remembered. `None` if nothing is
    /// remembered, or no limit.
    pub remembered_limit: Option<u64>,
}

/// Makes one request on a connection of its own: in early data, if there is a session with SETTINGS beside
/// it. The request must be safe to replay.
pub async fn visit(
    client: &Client,
    endpoint: &Endpoint,
    (host, address): (&str, SocketAddr),
    request: Request<()>,
) -> Result<Answer, Box<dyn Error>> {
    let (config, data) = client.connection()?;
    let connecting = endpoint.connect_with(config, address, host)?;
    let Some(remembered) = data.offered().as_ref().and_then(decode) else {
        let status = send(connecting.await?, request, None, &data).await?;
        let (early, remembered_limit) = (false, None);
        return Ok(Answer {
            status,
            early,
            remembered_limit,
        });
    };
    let remembered_limit = remembered.get(SettingId::MAX_HEADER_LIST_SIZE);
    let (status, early) = match connecting.into_0rtt() {
        Ok((connection, accepted)) => {
            let answer = send(connection, request.clone(), Some(&remembered), &data).await;
            match answer {
                Err(error @ StreamError::HeaderTooBig { .. }) => return Err(error.into()),
                answer => match (answer, accepted.await) {
                    // The server rejected the early data, which is lost with its streams.
                    (Err(_), false) => {
                        let status = again(client, endpoint, (host, address), request).await?;
                        (status, false)
                    }
                    (answer, early) => (answer?, early),
                },
            }
        }
        Err(connecting) => (send(connecting.await?, request, None, &data).await?, false),
    };
    Ok(Answer {
        status,
        early,
        remembered_limit,
    })
}

/// Makes the request on a new connection, without early data.
async fn again(
    client: &Client,
    endpoint: &Endpoint,
    (host, address): (&str, SocketAddr),
    request: Request<()>,
) -> Result<u16, Box<dyn Error>> {
    let (config, data) = client.connection()?;
    let connection = endpoint.connect_with(config, address, host)?.await?;
    Ok(send(connection, request, None, &data).await?)
}

/// Sends the request, under these settings until the server's arrive, and keeps those for the next
/// connection. Returns the status.
async fn send(
    connection: Connection,
    request: Request<()>,
    settings: Option<&Settings>,
    data: &SessionData,
) -> Result<u16, StreamError> {
    let quic = h3_quinn::Connection::new(connection.clone());
    let (mut connected, mut requests) = client::new(quic)
        .await
        .map_err(StreamError::ConnectionError)?;
    if let Some(settings) = settings {
        requests.set_settings(settings.into());
    }
    let mut stream = requests.send_request(request).await?;
    stream.finish().await?;
    // The first frame that the server sends on its control stream (RFC 9114, section 6.2.1).
    let first = poll_fn(|cx| connected.inner.poll_control(cx)).await;
    if let Frame::Settings(settings) = first.map_err(StreamError::ConnectionError)? {
        data.set(Some(encode(&settings)));
    }
    let driver = async {
        let ended = poll_fn(|cx| connected.poll_close(cx)).await;
        Err::<u16, StreamError>(StreamError::ConnectionError(ended))
    };
    let answer = async {
        let status = stream.recv_response().await?.status();
        while stream.recv_data().await?.is_some() {}
        Ok::<u16, StreamError>(status.as_u16())
    };
    let status = tokio::select! {
        biased;
        answer = answer => answer?,
        ended = driver => ended?,
    };
    connection.close(0u8.into(), b"");
    Ok(status)
}

/// The regarded settings, each as its number and its value.
fn encode(settings: &Settings) -> ApplicationData {
    let values = REGARDED.map(|id| settings.get(id).map(|value| [id.0, value]));
    let numbers = values.into_iter().flatten().flatten();
    let bytes: Vec<u8> = numbers.flat_map(u64::to_be_bytes).collect();
    // 80 bytes at most. A server without any sends an empty frame, for which a byte stands.
    let bytes = if bytes.is_empty() { &[0] } else { &bytes[..] };
    bytes.try_into().expect("1 to 80 bytes")
}

/// Decodes what [`encode`] returns. `None` if it is from another version of this program.
fn decode(data: &ApplicationData) -> Option<Settings> {
    let mut settings = Settings::default();
    if **data == [0] {
        return Some(settings);
    }
    let (numbers, rest) = data.as_chunks::<8>();
    let numbers: Vec<u64> = numbers.iter().map(|it| u64::from_be_bytes(*it)).collect();
    let (pairs, single) = numbers.as_chunks::<2>();
    for [id, value] in pairs {
        settings.insert(SettingId(*id), *value).ok()?;
    }
    (rest.is_empty() && single.is_empty()).then_some(settings)
}
