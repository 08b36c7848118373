use std::time::Duration;
use store_core::*;
struct Boxed(#[allow(dead_code)] Box<[u8; 256]>, #[allow(dead_code)] [u64; 2]);
impl Storable for Boxed { fn duplicate(&self) -> Option<Self> { None } }
const NOW: Timestamp = Timestamp::EPOCH;
fn main() {
    let what = std::env::args().nth(1).unwrap();
    let n: usize = std::env::args().nth(2).unwrap().parse().unwrap();
    let store: SessionStore<Boxed> = SessionStore::new(Limits::default()).unwrap();
    let domain = SecurityDomain::builder("bench").finish();
    let key = KeyRef::new(&domain, "server-12.example.com").with_port(443);
    let other = KeyRef::new(&domain, "server-13.example.com").with_port(443);
    let mut e = Some(Entry::new(Boxed(Box::new([7; 256]), [1; 2]), Usage::SingleUse, Some(Duration::from_secs(3_600)), 0, NOW));
    let begun = store.generation();
    let tickets = if what == "two" { 2 } else { 1 };
    for _ in 0..tickets { store.put(key, Entry::new(Boxed(Box::new([7; 256]), [1; 2]), Usage::SingleUse, None, 0, NOW), begun, NOW).unwrap(); }
    for _ in 0..n { match &*what {
        "pair" | "two" => { let t = store.take(key, NOW).unwrap(); store.put(key, t.entry, begun, NOW).unwrap(); }
        "miss" => assert!(store.take(other, NOW).is_none()),
        "hint" => { std::hint::black_box(store.hint(key)); }
        "gen" => { std::hint::black_box(store.generation()); }
        "sweep" => store.sweep(NOW),
        #[cfg(not(feature = "__fuzzing"))]
        _ => drop(e.take()),
        #[cfg(feature = "__fuzzing")]
        _ => {} } }
}
