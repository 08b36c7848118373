//! What to do about it: causes that fit what was seen, and the settings of common servers.

use crate::Failure;

pub(super) const NO_TICKETS: &str = "switch tickets on: nginx ssl_session_tickets on, Apache \
    SSLSessionTickets on, HAProxy no option no-tls-tickets; a server that sends its tickets only \
    with its first data cannot be told from one that has none";

pub(super) const NO_SESSIONS_TLS12: &str = "switch tickets on (nginx ssl_session_tickets on, \
    Apache SSLSessionTickets on), or a cache for session ids (nginx ssl_session_cache shared:..., \
    Apache SSLSessionCache)";

pub(super) const POSTGRES: &str = "none on the server: PostgreSQL switches tickets off. Keep \
    connections open, by a pool such as PgBouncer";

pub(super) const NOT_CACHED: &str = "the server gives session ids and does not keep the sessions, \
    or another process or machine answers: nginx ssl_session_cache shared:SSL:10m (its default \
    keeps nothing), Apache SSLSessionCache; or switch tickets on";

pub(super) const ALWAYS_DECLINED: &str = "either several machines or processes answer at this \
    address, each with ticket keys of its own (give all the same: nginx ssl_session_ticket_key, \
    HAProxy tls-ticket-keys; Dovecot service_count = 0 in its login services), or the server's \
    tickets name sessions that it does not keep (nginx ssl_session_tickets off without \
    ssl_session_cache shared:...), or it does not accept its own (no session id context while it \
    asks for client certificates, a cache that is too small, its clock)";

pub(super) const SEVERAL_BEHIND: &str = "either several machines or processes answer at this \
    address, each with ticket keys of its own: give all the same (nginx ssl_session_ticket_key, \
    HAProxy tls-ticket-keys, Apache SSLSessionTicketKeyFile), or let the balancer keep a client at \
    its machine; or one server declines now and then, as when its keys were changed and the old \
    ones are not kept, or its cache is full";

pub(super) const NOW_AND_THEN: &str = "either several machines or processes answer at this \
    address, each with ticket keys of its own (give all the same: nginx ssl_session_ticket_key, \
    HAProxy tls-ticket-keys), or the keys were changed meanwhile and the old ones are not kept, or \
    the server's cache is full";

pub(super) const ADDRESSES: &str = "give all machines the same keys (nginx \
    ssl_session_ticket_key, HAProxy tls-ticket-keys, Apache SSLSessionTicketKeyFile), or a cache \
    that they share; or have the client keep to one address";

pub(super) const ADDRESSES_OR_CHANCE: &str = "either the machines have other keys (give all the \
    same: nginx ssl_session_ticket_key, HAProxy tls-ticket-keys, Apache SSLSessionTicketKeyFile), \
    or a server declines now and then: its keys were changed and the old ones are not kept, or its \
    cache is full; ask again to tell one from the other";

pub(super) const ADDRESS_WITHOUT: &str = "switch tickets on there, too (nginx ssl_session_tickets \
    on, Apache SSLSessionTickets on), or a cache for session ids: clients that meet these \
    addresses make full handshakes";

pub(super) const ADDRESS_DECLINES: &str = "compare the settings of these addresses with those of \
    the others: either several machines answer there, each with ticket keys of its own (nginx \
    ssl_session_ticket_key, HAProxy tls-ticket-keys), or the server does not keep its sessions \
    (nginx ssl_session_cache shared:...) or gives none";

pub(super) const VERSIONS: &str = "several machines seem to answer, of which some do not speak all \
    versions: switch the same versions on at all of them (nginx ssl_protocols, Apache SSLProtocol, \
    HAProxy ssl-min-ver and ssl-max-ver); if sessions are still declined then, look at their \
    ticket keys";

pub(super) const ZERO_LIFETIME: &str = "a lifetime of 0 forbids to use them: raise it (nginx \
    ssl_session_timeout, Apache SSLSessionCacheTimeout)";

pub(super) const NOT_STORABLE: &str = "they may be too large for the store (48 KiB), or have \
    expired at once: look at the server's lifetime (nginx ssl_session_timeout)";

pub(super) const MORE_TICKETS: &str = "open fewer connections at the same time and use each for \
    more, or have the server issue more tickets (OpenSSL's num_tickets, rustls's \
    send_tls13_tickets; nginx has no setting for it)";

pub(super) const TICKETS_ON_RESUMPTION: &str = "have the server issue tickets after resumed \
    handshakes too, or more after a full one (OpenSSL's num_tickets, rustls's send_tls13_tickets; \
    not every server has a setting for it)";

pub(super) const SESSION_IDS: &str = "fine for one server that is not restarted; behind several \
    machines, switch tickets on with the same key on all (nginx ssl_session_tickets on, \
    ssl_session_ticket_key), or allow TLS 1.3";

pub(super) const LONGER: &str = "a client that comes back later makes a full handshake: raise it \
    (nginx ssl_session_timeout, Apache SSLSessionCacheTimeout)";

pub(super) const MORE_CONNECTIONS: &str = "make more connections with --connections";

pub(super) const ADDRESS_FAILED: &str =
    "mend these addresses, or take them out of the DNS: clients lose time at each of them";

/// About handshakes that fail: their explanation has the details.
pub(super) fn of_failure(failure: Failure) -> &'static str {
    match failure {
        Failure::UnknownName => "check the name, and whether its DNS answers",
        Failure::Refused => "start the server, or give the right port",
        Failure::Unreachable | Failure::NoAnswer => "check the address, the way there, firewalls",
        Failure::Silent => "check that the port speaks TLS; a longer --timeout waits longer",
        Failure::Closed => "check that the port speaks TLS, and see the server's log",
        Failure::NotTls => {
            "check the port and --starttls: where TLS is spoken from the beginning, leave it out; where \
             it is not, give it"
        }
        Failure::OldTls => "switch TLS 1.2 and TLS 1.3 on at the server",
        Failure::OtherVersion => "leave --tls out, or ask for another version",
        Failure::UnknownAuthority => {
            "have the server send its intermediates too, or trust its root with --ca"
        }
        Failure::WrongName => "ask for a name that the certificate has, with --sni",
        Failure::Expired => "renew the certificate",
        Failure::NotYetValid => "set the clock, or wait",
        Failure::Certificate => "look at the server's certificates",
        Failure::StartTls => "check the port, --starttls and the server's TLS settings",
        Failure::ClientCertificate => {
            "probe a port or name that asks for no client certificate, or make it optional there"
        }
        Failure::Local => "raise the limit of open files (ulimit -n), or lower --concurrency",
        Failure::Handshake => {
            "see the server's log: it may want ciphers, groups or signatures that this client does \
             not offer, and another --backend may do"
        }
    }
}
