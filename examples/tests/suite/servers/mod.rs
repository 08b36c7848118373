//! Clients of databases, brokers, mail, names and directories with our connector, against real
//! servers that are started for each test. Resumption is checked by the server's log if it has one, or
//! by the messages that it sends, or by the client's counters.

/// Tests of an asynchronous function at rustls and at OpenSSL.
macro_rules! on_both_backends {
    ($resumes:ident) => {
        #[tokio::test]
        async fn rustls_resumes() {
            $resumes::<tls_resume::rustls::Rustls>().await;
        }

        #[tokio::test]
        async fn openssl_resumes() {
            $resumes::<tls_resume::openssl::OpenSsl>().await;
        }
    };
}

mod addresses;
mod amqp;
mod awc;
mod aws;
pub(crate) mod common;
mod dns;
mod ftps;
mod imap;
mod ldap;
mod mqtt;
mod nginx;
pub(crate) mod postgres;
mod postgres_certificates;
mod postgres_pools;
mod redis;
mod smol;
mod smtp;
mod smtp_refusals;
mod websocket;
