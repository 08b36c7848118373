//! ldap3 with our sessions: `ldap ldaps://localhost:636/ roots.pem`.

use std::sync::Arc;

use ldap3::{LdapConnAsync, LdapConnSettings, Scope, SearchEntry};
use tls_resume::rustls::Connector;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, roots) = examples::arguments::url_and_roots()?;
    let connector = Connector::builder().roots_pem_file(roots).build()?;
    let tls = Arc::new(connector.client_config());
    for _ in 0..2 {
        let settings = LdapConnSettings::new().set_config(Arc::clone(&tls));
        let (connection, mut ldap) = LdapConnAsync::with_settings(settings, &url).await?;
        let driver = tokio::spawn(connection.drive());
        let wanted = ["supportedLDAPVersion"];
        let found = ldap
            .search("", Scope::Base, "(objectClass=*)", wanted)
            .await?;
        let (entries, _) = found.success()?;
        for entry in entries {
            println!("{:?}", SearchEntry::construct(entry).attrs);
        }
        ldap.unbind().await?;
        driver.await??;
    }
    println!("sessions offered: {}", connector.stats().offered);
    Ok(())
}
