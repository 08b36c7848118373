//! Clients of databases, brokers, mail, names and directories with our connector, against real
//! servers that are started for each test. Resumption is checked by the server's log if it has one, or
//! by the messages that it sends, or by the client's counters.

mod amqp;
mod awc;
mod aws;
mod common;
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
