//! Tests that run the example programs, and other crates' clients with our connector, against real
//! servers. Resumption is checked on the server where it reports it, and on the client.

mod doors;
mod guide;
mod h3;
mod http;
mod metrics;
mod mta;
mod nats;
mod proxies;
mod quinn;
mod quinn_rotation;
mod recording_proxy;
mod reqwest;
mod servers;
mod ureq;
