//! rumqttc with our sessions: `mqtt localhost:8883 roots.pem`.

use rumqttc::{
    AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS, TlsConfiguration, Transport,
};
use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (server, roots) = examples::arguments::url_and_roots()?;
    let (host, port) = server.split_once(':').ok_or("give HOST:PORT")?;
    // With a client certificate: `.client_certificate(chain, key)`.
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    let tls = TlsConfiguration::from(connector.client_config());
    for _ in 0..2 {
        let mut options = MqttOptions::new("greeter", host, port.parse()?);
        options.set_transport(Transport::tls_with_config(tls.clone()));
        let (client, mut events) = AsyncClient::new(options, 10);
        client
            .publish("greetings", QoS::AtLeastOnce, false, "hello")
            .await?;
        while !matches!(events.poll().await?, Event::Incoming(Packet::PubAck(_))) {}
        client.disconnect().await?;
        while !matches!(events.poll().await?, Event::Outgoing(Outgoing::Disconnect)) {}
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
