//! Remedies: possible causes of what was observed, and the settings of common servers.

use crate::Failure;

pub(super) const NO_TICKETS: &str = "switch tickets on: nginx ssl_session_tickets on, Apache \
    SSLSessionTickets on, HAProxy no option no-tls-tickets; a server that sends tickets only with \
    its first data looks like one without tickets";

pub(super) const NO_SESSIONS_TLS12: &str = "switch tickets on (nginx ssl_session_tickets on, \
    Apache SSLSessionTickets on), or a session cache (nginx ssl_session_cache shared:..., Apache \
    SSLSessionCache)";

pub(super) const POSTGRES: &str = "no setting of the server helps: PostgreSQL switches tickets \
    off. Keep connections open, with a pool such as PgBouncer";

pub(super) const NOT_CACHED: &str = "either the server assigns session ids without storing the \
    sessions (nginx ssl_session_cache shared:SSL:10m, whose default stores none; Apache \
    SSLSessionCache), or another process or machine answers; tickets need no cache";

pub(super) const ALWAYS_DECLINED: &str = "either several machines or processes answer at this \
    address, each with ticket keys of its own (give all the same keys: nginx \
    ssl_session_ticket_key, HAProxy tls-ticket-keys; Dovecot service_count = 0 in its login \
    services), or the server's tickets name sessions that it does not store (nginx \
    ssl_session_tickets off without ssl_session_cache shared:...), or it does not accept its own \
    sessions (no session id context while it requests client certificates, a cache that is too \
    small, a wrong clock)";

pub(super) const SEVERAL_MACHINES: &str = "either several machines or processes answer at this \
    address, each with ticket keys of its own: give all the same keys (nginx \
    ssl_session_ticket_key, HAProxy tls-ticket-keys, Apache SSLSessionTicketKeyFile), or let the \
    balancer send a client to the same machine each time; or one server declines now and then, for \
    example because it changed its keys without keeping the old ones, or its cache is full";

pub(super) const SOMETIMES_DECLINED: &str = "either several machines or processes answer at this \
    address, each with ticket keys of its own (give all the same keys: nginx \
    ssl_session_ticket_key, HAProxy tls-ticket-keys), or the server changed its keys meanwhile \
    without keeping the old ones, or its cache is full";

pub(super) const ADDRESSES: &str = "give all machines the same ticket keys (nginx \
    ssl_session_ticket_key, HAProxy tls-ticket-keys, Apache SSLSessionTicketKeyFile), or a shared \
    cache; or let the client use one address only";

pub(super) const ADDRESSES_OR_CHANCE: &str = "either the machines have different ticket keys (give \
    all the same keys: nginx ssl_session_ticket_key, HAProxy tls-ticket-keys, Apache \
    SSLSessionTicketKeyFile), or a server declines now and then, because it changed its keys \
    without keeping the old ones, or its cache is full; probe again to tell one from the other";

pub(super) const ADDRESS_WITHOUT_SESSIONS: &str = "switch tickets on at these addresses (nginx \
    ssl_session_tickets on, Apache SSLSessionTickets on), or a session cache: clients that connect \
    to them make full handshakes";

pub(super) const ADDRESS_DECLINES: &str = "compare the settings of these addresses with those of \
    the others: either several machines answer there, each with ticket keys of its own (nginx \
    ssl_session_ticket_key, HAProxy tls-ticket-keys), or the server does not store its sessions \
    (nginx ssl_session_cache shared:...) or issues none";

pub(super) const VERSIONS: &str = "several machines seem to answer, and some do not speak all \
    versions: allow the same versions on all of them (nginx ssl_protocols, Apache SSLProtocol, \
    HAProxy ssl-min-ver and ssl-max-ver); if sessions are still declined after that, compare their \
    ticket keys";

pub(super) const ZERO_LIFETIME: &str = "a lifetime of 0 forbids the use of a ticket: raise it \
    (nginx ssl_session_timeout, Apache SSLSessionCacheTimeout)";

pub(super) const NOT_STORABLE: &str = "the sessions may be too large for the store (48 KiB), or \
    have expired at once: check the server's lifetime (nginx ssl_session_timeout)";

pub(super) const MORE_TICKETS: &str = "open fewer connections at the same time and use each for \
    more, or have the server issue more tickets (OpenSSL's num_tickets, rustls's \
    send_tls13_tickets; nginx has no setting for it)";

pub(super) const TICKETS_ON_RESUMPTION: &str = "have the server issue tickets after resumed \
    handshakes too, or more after a full one (OpenSSL's num_tickets, rustls's send_tls13_tickets; \
    not every server has a setting for it)";

pub(super) const TICKETS_ACCEPTED_TWICE: &str = "a client that uses each ticket once, as this one \
    does, makes a full handshake whenever they are used up; one that offers a ticket again would \
    resume (try --reuse-tickets), but an observer could link its connections. Have the server issue \
    more tickets (OpenSSL's num_tickets). Postfix renews none on purpose; lighttpd, and Apache and HAProxy with \
    ticket keys from a file, have no setting for it";

pub(super) const SESSION_IDS: &str = "nothing for one server that is seldom restarted; with \
    several machines, switch tickets on with the same keys on all (nginx ssl_session_tickets on, \
    ssl_session_ticket_key), or allow TLS 1.3";

pub(super) const LONGER_LIFETIME: &str = "clients that return later make full handshakes: raise \
    the lifetime (nginx ssl_session_timeout, Apache SSLSessionCacheTimeout)";

pub(super) const MORE_CONNECTIONS: &str = "make more connections with --connections";

pub(super) const ADDRESS_FAILED: &str =
    "repair these addresses, or remove them from the DNS: clients lose time at each of them";

/// What the server has shown of itself on other connections than the failed ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shown {
    Nothing,
    /// It has sent TLS records, so the port is right.
    Tls,
    /// Handshakes succeeded, so client and server have ciphers, groups and signatures in common.
    Handshakes,
}

/// The remedy if exactly the handshakes fail in which a session is offered.
pub(super) fn of_failed_offers(failure: Failure) -> String {
    const CONTEXT: &str = "the server asks for client certificates and has no session-id context \
        (with OpenSSL, call SSL_CTX_set_session_id_context; Dovecot with ssl_verify_client_cert = \
        yes is such a server)";
    const LONG_HELLO: &str = "a middlebox on the way, such as a firewall or a proxy that reads the \
        server name, does not let a long ClientHello pass, which a session makes longer (update \
        it, or have the server issue smaller tickets)";
    // An error of the server's own is an alert; of what a middlebox drops, the server sees nothing.
    let (first, second) = match failure {
        Failure::Silent | Failure::Closed => (LONG_HELLO, CONTEXT),
        _ => (CONTEXT, LONG_HELLO),
    };
    format!(
        "either {first}, or {second}; the server's log should tell which. Until then, switch \
         resumption off on the server or in its clients"
    )
}

/// The remedy of a failed handshake with a server that has shown so much on other connections.
pub(super) fn of_failure(failure: Failure, shown: Shown) -> &'static str {
    let speaks_tls = shown >= Shown::Tls;
    match failure {
        Failure::UnknownName => "check the name, and whether its DNS server answers",
        Failure::Refused => "start the server, or give the right port",
        Failure::Unreachable | Failure::NoAnswer => "check the address, the routes and firewalls",
        Failure::Silent if speaks_tls => {
            "see the server's log and its load; or try a longer --timeout"
        }
        Failure::Silent => "check that the port speaks TLS, or try a longer --timeout",
        Failure::Closed if speaks_tls => {
            "see the server's log: it may limit connections, or have no certificate for this name"
        }
        Failure::Closed => {
            "check that the port speaks TLS, and see the server's log: it may have no certificate \
             for this name"
        }
        Failure::NotTls if speaks_tls => {
            "see the server's log: on other connections to this port it speaks TLS"
        }
        Failure::NotTls => {
            "check the port, and --starttls: a port that begins in plain text needs it, a port \
             that begins with TLS must not have it"
        }
        Failure::OldTls => "allow TLS 1.2 and TLS 1.3 on the server",
        Failure::OtherVersion => "leave --tls out, or give the other version",
        Failure::UnknownAuthority => {
            "have the server send its intermediate certificates, or trust its root with --ca"
        }
        Failure::WrongName => "give a name of the certificate with --sni",
        Failure::Expired => "renew the certificate",
        Failure::NotYetValid => "set the clock, or wait",
        Failure::Certificate => "check the server's certificates",
        Failure::StartTls => "check the port, --starttls and the server's TLS settings",
        Failure::ClientCertificate => {
            "give a certificate that the server accepts with --cert and --key, or make it optional \
             there"
        }
        Failure::Local => "raise the limit of open files (ulimit -n), or lower --concurrency",
        Failure::Handshake if shown == Shown::Handshakes => {
            "see the server's log: in other connections it accepted what this client offers"
        }
        Failure::Handshake => {
            "see the server's log: it may require cipher suites, groups or signature algorithms \
             that this client does not offer; another --backend may offer them"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_speaks_tls_need_not_be_checked_for_it() {
        for failure in Failure::ALL {
            let remedy = of_failure(failure, Shown::Tls);
            assert!(!remedy.contains("speaks TLS,"), "{failure:?}: {remedy}");
            assert!(!remedy.contains("begins with TLS"), "{failure:?}: {remedy}");
        }
        for failure in [Failure::Silent, Failure::Closed, Failure::NotTls] {
            let remedy = of_failure(failure, Shown::Nothing);
            assert!(remedy.starts_with("check "), "{failure:?}: {remedy}");
        }
    }

    #[test]
    fn remedies_are_one_line() {
        for failure in Failure::ALL {
            let shown = [Shown::Nothing, Shown::Tls, Shown::Handshakes];
            let remedies = shown.map(|shown| of_failure(failure, shown).to_owned());
            for remedy in remedies.into_iter().chain([of_failed_offers(failure)]) {
                assert!(!remedy.contains("  ") && !remedy.contains('\n'), "{remedy}");
                assert!(!remedy.ends_with('.'), "{remedy}");
            }
        }
    }
}
