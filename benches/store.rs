//! The store alone, beside the stores that it is compared with: the operations of `peers::ops`
//! under criterion.

use criterion::{Criterion, criterion_group, criterion_main};
use peers::StoreFactory;
use peers::ops::{Op, Fixture};

fn store(criterion: &mut Criterion) {
    for servers in [1, 1_000] {
        let mut fixture = Fixture::new(servers, 1);
        for op in Op::ALL {
            let mut group = criterion.benchmark_group(format!("store/{servers}/{op}"));
            for store in &StoreFactory::built_in() {
                // A store without a bound has no put at capacity.
                if fixture.time(store, op, 1).is_none() {
                    continue;
                }
                group.bench_function(store.as_str(), |bencher| {
                    bencher.iter_custom(|times| {
                        let took = fixture.time(store, op, times);
                        took.expect("there was such an operation before")
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, store);
criterion_main!(benches);
