//! ureq and reqwest, which have proxies of their own.

use tls_resume::generic::Connector;
use tls_resume::openssl::OpenSsl;
use tls_resume::rustls::Rustls;
use tls_resume::rustls_preview::RustlsPreview;
use tls_resume::{Backend, ureq};

use super::{Fixture, each};

fn connector<B: Backend>(fixture: &Fixture) -> Connector<B> {
    let builder = Connector::<B>::builder().roots_pem_file(fixture.target.roots());
    builder.build().expect("valid settings")
}

/// Makes two requests by ureq, each over a connection of its own.
fn visit_by_ureq<B: Backend>(fixture: &Fixture, proxy: &str)
where
    ureq::Connection<B>: Send + Sync,
{
    let connector = connector::<B>(fixture);
    let proxy = ::ureq::Proxy::new(proxy).expect("a proxy");
    for _ in 0..2 {
        let config = ::ureq::Agent::config_builder().proxy(Some(proxy.clone()));
        let agent = ureq::agent_with(config.build(), &connector);
        let answer = agent.get(fixture.target.url()).call();
        let text = answer.expect("an answer").body_mut().read_to_string();
        assert_eq!(text.expect("a text"), "hello\n");
    }
}

fn ureq_resumes_through_each<B: Backend>()
where
    ureq::Connection<B>: Send + Sync,
{
    each(|fixture| {
        visit_by_ureq::<B>(fixture, &fixture.http());
        fixture.assert_tunnelled();
    });
    each(|fixture| {
        visit_by_ureq::<B>(fixture, &fixture.https());
        fixture.assert_tunnelled_over_tls();
    });
    each(|fixture| {
        visit_by_ureq::<B>(fixture, &fixture.socks("socks5h"));
        fixture.assert_through_socks();
    });
}

#[test]
fn ureq_resumes_with_rustls() {
    ureq_resumes_through_each::<Rustls>();
}

#[test]
fn ureq_resumes_with_openssl() {
    ureq_resumes_through_each::<OpenSsl>();
}

#[test]
fn ureq_resumes_with_rustls_preview() {
    ureq_resumes_through_each::<RustlsPreview>();
}

/// Makes two requests by reqwest, each over a connection of its own.
fn visit_by_reqwest(fixture: &Fixture, proxy: &str) {
    let connector = connector::<Rustls>(fixture);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        for _ in 0..2 {
            let client = reqwest::Client::builder()
                .tls_backend_preconfigured(connector.client_config())
                .proxy(reqwest::Proxy::all(proxy).expect("a proxy"))
                .build();
            let client = client.expect("a client");
            let answer = client.get(fixture.target.url()).send().await;
            let text = answer.expect("an answer").text().await.expect("a text");
            assert_eq!(text, "hello\n");
        }
    });
}

#[test]
fn reqwest_resumes_through_each() {
    each(|fixture| {
        visit_by_reqwest(fixture, &fixture.http());
        fixture.assert_tunnelled();
    });
    each(|fixture| {
        visit_by_reqwest(fixture, &fixture.https());
        fixture.assert_tunnelled_over_tls();
    });
    each(|fixture| {
        visit_by_reqwest(fixture, &fixture.socks("socks5h"));
        fixture.assert_through_socks();
    });
}

/// A `ClientConfig` knows no ports: a proxy and a target of one name share their sessions, which cost
/// full handshakes and no error.
#[test]
fn reqwest_mixes_the_sessions_of_a_proxy_and_a_target_of_one_name() {
    each(|fixture| {
        let proxy = format!("https://localhost:{}", fixture.stunnel.port());
        visit_by_reqwest(fixture, &proxy);
        let of_target = fixture.target.resumed();
        let of_proxy = fixture.stunnel.resumed(2).expect("its log");
        assert!(of_target != [false, true] || of_proxy != [false, true]);
    });
}

/// ureq tells hosts apart by their ports.
#[test]
fn ureq_keeps_the_sessions_of_a_proxy_and_a_target_of_one_name_apart() {
    each(|fixture| {
        let proxy = format!("https://localhost:{}", fixture.stunnel.port());
        visit_by_ureq::<Rustls>(fixture, &proxy);
        fixture.assert_tunnelled_over_tls();
    });
}
