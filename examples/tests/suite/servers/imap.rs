//! IMAP by async-imap, with Dovecot. A proxy sees whether it resumes. Skipped unless run by root.

use async_imap::Client;
use lab::dovecot::DovecotServer;
use tls_resume::tokio::Backend;

use super::common::{PROTOCOLS, connector, identity, run};
use crate::recording_proxy::RecordingProxy;

fn start() -> Option<(DovecotServer, RecordingProxy)> {
    let Some(dovecot) = DovecotServer::start(&identity()).expect("a Dovecot") else {
        eprintln!("SKIPPED: only root can start Dovecot");
        return None;
    };
    let proxy = RecordingProxy::start(([127, 0, 0, 1], dovecot.port()).into());
    Some((dovecot, proxy))
}

async fn resumes<B: Backend>() {
    let Some((_dovecot, proxy)) = start() else {
        return;
    };
    for protocol in PROTOCOLS {
        let connector = connector::<B>(protocol).tokio();
        for _ in 0..2 {
            let stream = connector.connect("localhost", proxy.port).await;
            let mut client = Client::new(stream.expect("TLS"));
            let greeting = client.read_response().await.expect("a server");
            greeting.expect("a greeting");
            let login = client.login("me", "secret").await;
            let mut session = login.map_err(|(error, _)| error).expect("a login");
            let inbox = session.select("INBOX").await.expect("a mailbox");
            assert_eq!(inbox.exists, 0);
            session.logout().await.expect("a farewell");
        }
    }
    assert_eq!(proxy.resumed(), [false, true, false, true]);
}

on_both_backends!(resumes);

#[test]
fn the_program_resumes() {
    let Some((_dovecot, proxy)) = start() else {
        return;
    };
    let server = format!("localhost:{}", proxy.port);
    let written = run(env!("CARGO_BIN_EXE_imap"), &server);
    assert_eq!(written, ["0 mails", "0 mails", "1 resumed"]);
    assert_eq!(proxy.resumed(), [false, true]);
}
