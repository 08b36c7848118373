//! Deserializing and serializing.

use std::time::Duration;

use tls_resume::{Config, Limits, Protocol, ReuseTickets};

use super::toml;

#[test]
fn the_example_has_the_defaults() {
    let example = include_str!("../../../docs/tls-resume.toml");
    assert_eq!(toml(example), Ok(Config::default()));
    assert_eq!(toml(""), Ok(Config::default()));
    assert_eq!(
        serde_json::from_str::<Config>("{}").unwrap(),
        Config::default()
    );
}

/// If only as a comment.
#[test]
fn the_example_has_every_key() {
    let unknown = toml("no_such_key = 1").unwrap_err();
    let known = unknown.split("expected one of").nth(1).expect("the keys");
    let keys: Vec<_> = known.split('`').skip(1).step_by(2).collect();
    assert!(keys.len() > 10, "{unknown}");
    let example = include_str!("../../../docs/tls-resume.toml");
    for key in keys {
        let has = |line: &str| {
            line.trim_start_matches("# ")
                .starts_with(&format!("{key} ="))
        };
        let there = example.lines().any(has) || example.contains(&format!("[{key}]"));
        assert!(there, "{key}");
    }
}

#[test]
fn every_key_is_read_from_toml_and_json() {
    let text = r#"
        roots = ["roots.pem"]
        client_certificate = "client.pem"
        client_key = "client.key"
        alpn = ["h2"]
        protocols = ["1.3"]
        domain = "mail"
        never_resume = ["pinned.example", "mail.example:25"]
        resume_with_client_certificate = false
        timeout = "250ms"
        early_data = true
        reuse_tickets = "until-renewed"
        store = "redis://:secret@host"
        store_keys = "keys"
        store_roots = ["redis.pem"]
        store_timeout = 1
        [limits]
        servers = 7
        sessions_per_server = 3
        session_bytes = "1KiB"
        server_bytes = "64kB"
        total_bytes = "1GiB"
        ticket_bytes = "4KiB"
        unpacked_sessions = 5
        single_use_lifetime = "2d"
        reusable_lifetime = "90s"
        total_age = "12h"
    "#;
    let mut config = Config::default();
    config.roots = vec!["roots.pem".into()];
    config.client_certificate = Some("client.pem".into());
    config.client_key = Some("client.key".into());
    config.alpn = vec!["h2".into()];
    config.protocols = vec![Protocol::Tls13];
    config.domain = "mail".into();
    config.never_resume = vec!["pinned.example".into(), "mail.example:25".into()];
    config.resume_with_client_certificate = false;
    config.timeout = Duration::from_millis(250);
    config.early_data = true;
    config.reuse_tickets = ReuseTickets::UntilRenewed;
    config.store = Some("redis://:secret@host".into());
    config.store_keys = Some("keys".into());
    config.store_roots = vec!["redis.pem".into()];
    config.store_timeout = Duration::from_secs(1);
    config.limits = Limits::default()
        .with_servers(7)
        .with_sessions_per_server(3)
        .with_bytes(1 << 10, 64_000, 1 << 30)
        .with_ticket_bytes(4 << 10)
        .with_unpacked_sessions(5)
        .with_lifetimes(Duration::from_secs(48 * 60 * 60), Duration::from_secs(90))
        .with_total_age(Duration::from_secs(12 * 60 * 60));
    assert_eq!(toml(text), Ok(config.clone()));
    let value: ::toml::Value = ::toml::from_str(text).unwrap();
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&json).unwrap(), config);

    // Serialized, it has the password, which `Debug` does not show.
    let written = ::toml::to_string(&config).unwrap();
    assert!(
        written.contains(r#"reusable_lifetime = "1m 30s""#),
        "{written}"
    );
    assert!(written.contains("secret"), "{written}");
    assert_eq!(toml(&written), Ok(config.clone()));
    let written = serde_json::to_string(&config).unwrap();
    assert_eq!(serde_json::from_str::<Config>(&written).unwrap(), config);
    assert!(!format!("{config:?}").contains("secret"));
}

#[test]
fn defaults_survive_serialization() {
    let written = ::toml::to_string(&Config::default()).unwrap();
    assert_eq!(toml(&written), Ok(Config::default()), "{written}");
}

#[test]
fn errors_name_the_key() {
    for (text, says) in [
        ("severs = 1", "severs"),
        ("[limits]\nsevers = 1", "severs"),
        (
            r#"protocols = ["1.1"]"#,
            "protocols[0]: unknown variant `1.1`",
        ),
        (r#"roots = "ca.pem""#, "roots: invalid type: string"),
        ("store_roots = [1]", "store_roots[0]: invalid type: integer"),
        ("client_certificate = 1", "client_certificate: invalid type"),
        ("client_key = 1", "client_key: invalid type"),
        (r#"alpn = "h2""#, "alpn: invalid type"),
        ("limits = 1", "limits: invalid type"),
        ("domain = 1", "domain: invalid type"),
        ("never_resume = 1", "never_resume: invalid type"),
        (r#"early_data = "yes""#, "early_data: invalid type"),
        ("store = 1", "store: invalid type"),
        ("store_keys = 1", "store_keys: invalid type"),
        (r#"timeout = "soon""#, "timeout: expected number"),
        (
            r#"timeout = "18446744073709551615s 1000ms""#,
            "timeout: a duration has at most 9 digits",
        ),
        (
            r#"store_timeout = "1us""#,
            "store_timeout: expected whole milliseconds",
        ),
        (
            "[limits]\ntotal_bytes = -1",
            "limits.total_bytes: expected a size",
        ),
        (
            "[limits]\ntotal_age = \"1500ms\"",
            "limits.total_age: expected whole seconds",
        ),
        (
            "[limits]\ntotal_age = \"18446744073709551615s 1000ms\"",
            "limits.total_age: a duration has at most 9 digits",
        ),
        ("[limits]\nservers = -1", "limits.servers: invalid"),
    ] {
        let error = toml(text).unwrap_err();
        assert!(error.contains(says), "{text}: {error}");
        assert!(!error.contains('\n'), "{error}");
        let value: ::toml::Value = ::toml::from_str(text).unwrap();
        let json = serde_json::to_string(&value).unwrap();
        let error = super::json(&json).unwrap_err();
        assert!(error.contains(says), "{json}: {error}");
    }
}

#[test]
fn errors_for_unknown_keys_list_the_known_ones() {
    let unknown = ["severs = 1", "[limits]\nsevers = 1"];
    for (text, known) in unknown.into_iter().zip(["never_resume", "servers"]) {
        let error = toml(text).unwrap_err();
        assert!(error.contains("`severs`"), "{error}");
        assert!(error.contains(&format!("`{known}`")), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }
}

/// The message does not quote the line.
#[test]
fn errors_do_not_show_the_password() {
    for text in [
        "store = \"redis://:secret@host",
        "store = [\"redis://:secret@host\"]",
        "store = \"redis://:secret@host\" # \nstore = 1",
    ] {
        let error = toml(text).unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
