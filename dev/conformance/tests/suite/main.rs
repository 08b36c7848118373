//! The rules, clients with a fault, servers with a fault, and the documentation of the rules.

mod documented;
mod faulty_client;
mod faulty_servers;
mod rules;
