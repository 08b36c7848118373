//! Single operations of our store and of the stores that it is compared with: `peers::ops` under
//! criterion.

use criterion::{Criterion, criterion_group, criterion_main};
use peers::StoreFactory;
use peers::ops::{Fixture, Op};

fn store(criterion: &mut Criterion) {
    for servers in [1, 1_000] {
        let mut fixture = Fixture::new(servers, 1);
        for op in Op::ALL {
            let mut group = criterion.benchmark_group(format!("store/{servers}/{op}"));
            for store in &StoreFactory::built_in() {
                // A store without a limit has no put at capacity.
                if fixture.time(store, op, 1).is_none() {
                    continue;
                }
                group.bench_function(store.as_str(), |bencher| {
                    bencher.iter_custom(|times| {
                        let time = fixture.time(store, op, times);
                        time.expect("checked above")
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, store);
criterion_main!(benches);
