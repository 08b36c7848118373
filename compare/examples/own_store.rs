//! Measures a store of one's own, a `Mutex<HashMap>`: one more row in `target/own-store/report.json`.
use std::{collections::HashMap, sync::Mutex};

use compare::{Run, Section, Style, text};
use rustls::client::{Tls12ClientSessionValue as Tls12, Tls13ClientSessionValue as Tls13};
use rustls::{NamedGroup, client::ClientSessionStore, pki_types::ServerName};

type Map<V> = Mutex<HashMap<ServerName<'static>, V>>;
#[derive(Debug, Default)]
struct MutexMap(Map<Tls12>, Map<Vec<Tls13>>);

impl ClientSessionStore for MutexMap {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}
    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }
    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12) {
        self.0.lock().unwrap().insert(name, value);
    }
    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12> {
        self.0.lock().unwrap().get(name).cloned()
    }
    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.0.lock().unwrap().remove(name);
    }
    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13) {
        self.1.lock().unwrap().entry(name).or_default().push(value);
    }
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13> {
        self.1.lock().unwrap().get_mut(name)?.pop()
    }
}

fn main() -> Result<(), compare::Error> {
    let run = Run::short().only([Section::Handshakes, Section::Store]);
    let run = run.rustls_store("mutex-map", MutexMap::default);
    let report = run.save("target/own-store")?;
    println!("{}", text::all(&report, Style::Terminal));
    Ok(())
}
