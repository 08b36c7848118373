//! LDAP by ldap3, with slapd: behind stunnel, which reports resumptions, and by itself.

use std::sync::Arc;

use lab::slapd::SlapdServer;
use lab::stunnel::StunnelServer;
use ldap3::{LdapConnAsync, LdapConnSettings, Scope};
use tls_resume::Protocol;
use tls_resume::rustls::Rustls;

use super::common::{PROTOCOLS, connector, identity, run};
use crate::recording_proxy::RecordingProxy;

/// Reads what the server supports.
async fn visit(settings: LdapConnSettings, url: &str) -> ldap3::result::Result<()> {
    let (connection, mut ldap) = LdapConnAsync::with_settings(settings, url).await?;
    let driver = tokio::spawn(connection.drive());
    let found = ldap
        .search("", Scope::Base, "(objectClass=*)", ["*"])
        .await?;
    assert_eq!(found.success()?.0.len(), 1);
    ldap.unbind().await?;
    driver.await.expect("no panic")
}

#[tokio::test]
async fn a_client_config_resumes_behind_stunnel() {
    let slapd = SlapdServer::start(&identity()).expect("a slapd");
    let stunnel = StunnelServer::start(&identity(), slapd.plain_port()).expect("a stunnel");
    let url = format!("ldaps://localhost:{}/", stunnel.port());
    for protocol in PROTOCOLS {
        let config = Arc::new(connector::<Rustls>(protocol).client_config());
        for _ in 0..2 {
            let settings = LdapConnSettings::new().set_config(Arc::clone(&config));
            visit(settings, &url).await.expect("an answer");
        }
    }
    let resumed = stunnel.resumed(4).expect("its log");
    assert_eq!(resumed, [false, true, false, true]);
}

/// It issues no tickets, and declines the TLS 1.2 sessions that it gives an id. The same with the
/// command of LDAP that starts TLS.
#[tokio::test]
async fn slapd_itself_resumes_nothing() {
    let slapd = SlapdServer::start(&identity()).expect("a slapd");
    for (scheme, port) in [("ldaps", slapd.tls_port()), ("ldap", slapd.plain_port())] {
        let proxy = RecordingProxy::start(([127, 0, 0, 1], port).into());
        let url = format!("{scheme}://localhost:{}/", proxy.port);
        for protocol in PROTOCOLS {
            let connector = connector::<Rustls>(protocol);
            let config = Arc::new(connector.client_config());
            for _ in 0..2 {
                let settings = LdapConnSettings::new().set_config(Arc::clone(&config));
                let visited = visit(settings.set_starttls(scheme == "ldap"), &url).await;
                visited.expect("an answer");
            }
            let stored = connector.stats().stored;
            assert_eq!(stored == 0, protocol == Protocol::Tls13, "{stored}");
        }
        assert_eq!(proxy.resumed(), [false; 4]);
    }
}

#[test]
fn the_program_resumes() {
    let slapd = SlapdServer::start(&identity()).expect("a slapd");
    let stunnel = StunnelServer::start(&identity(), slapd.plain_port()).expect("a stunnel");
    let url = format!("ldaps://localhost:{}/", stunnel.port());
    let written = run(env!("CARGO_BIN_EXE_ldap"), &url);
    let found = "{\"supportedLDAPVersion\": [\"3\"]}";
    assert_eq!(written, [found, found, "sessions offered: 1"]);
    assert_eq!(stunnel.resumed(2).expect("its log"), [false, true]);
}
