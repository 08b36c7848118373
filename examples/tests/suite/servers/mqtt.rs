//! MQTT by rumqttc, with mosquitto. A proxy sees whether it resumes, mosquitto whose certificate.

use lab::mosquitto::MosquittoServer;
use rumqttc::{
    AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS, TlsConfiguration, Transport,
};
use tls_resume::rustls::Connector;

use super::common::{PROTOCOLS, authority, identity, run};
use crate::recording_proxy::RecordingProxy;

/// Publishes a message, and waits for its acknowledgement.
async fn publish(tls: TlsConfiguration, port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let mut options = MqttOptions::new("test", "localhost", port);
    options.set_transport(Transport::tls_with_config(tls));
    let (client, mut events) = AsyncClient::new(options, 10);
    let sent = client.publish("greetings", QoS::AtLeastOnce, false, "hello");
    sent.await?;
    while !matches!(events.poll().await?, Event::Incoming(Packet::PubAck(_))) {}
    client.disconnect().await?;
    while !matches!(events.poll().await?, Event::Outgoing(Outgoing::Disconnect)) {}
    Ok(())
}

#[tokio::test]
async fn a_client_with_a_certificate_resumes() {
    let root = authority().root_pem();
    let mosquitto = MosquittoServer::start(&identity(), Some(&root)).expect("a mosquitto");
    let proxy = RecordingProxy::start(([127, 0, 0, 1], mosquitto.port()).into());
    for protocol in PROTOCOLS {
        let client = authority().issue_client("sensor-7");
        let connector = Connector::builder()
            .roots([authority().root_der()])
            .protocols([protocol])
            .client_certificate(client.chain, client.key);
        let connector = connector.build().expect("valid settings");
        let tls = TlsConfiguration::from(connector.client_config());
        for _ in 0..2 {
            let published = publish(tls.clone(), proxy.port).await;
            published.expect("an acknowledgement");
        }
    }
    assert_eq!(proxy.resumed(), [false, true, false, true]);
    // Also of resumed connections.
    assert_eq!(mosquitto.clients(4).expect("its log"), ["sensor-7"; 4]);
}

#[tokio::test]
async fn a_client_without_a_certificate_is_rejected() {
    let root = authority().root_pem();
    let mosquitto = MosquittoServer::start(&identity(), Some(&root)).expect("a mosquitto");
    let connector = Connector::builder().roots([authority().root_der()]).build();
    let config = connector.expect("valid settings").client_config();
    let published = publish(config.into(), mosquitto.port()).await;
    published.expect_err("it demands a certificate");
}

#[test]
fn the_program_resumes() {
    let mosquitto = MosquittoServer::start(&identity(), None).expect("a mosquitto");
    let proxy = RecordingProxy::start(([127, 0, 0, 1], mosquitto.port()).into());
    let server = format!("localhost:{}", proxy.port);
    let written = run(env!("CARGO_BIN_EXE_mqtt"), &server);
    assert_eq!(written, ["sessions offered: 1"]);
    assert_eq!(proxy.resumed(), [false, true]);
}
