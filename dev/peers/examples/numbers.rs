//! Prints the results of the workloads:
//! `cargo run --release -p peers --example numbers [--quick] [WORKLOAD...]`.

use peers::{Allocated, contention, empty, ops, scale};

fn meter(work: &mut dyn FnMut()) -> Allocated {
    let info = allocation_counter::measure(work);
    Allocated {
        count: info.count_total,
        bytes: info.bytes_current,
    }
}

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let named = |argument: &&String| !argument.starts_with("--");
    let all = !arguments.iter().any(|argument| named(&argument));
    let wants = |workload: &str| all || arguments.iter().any(|argument| argument == workload);
    let mut progress = |what: &str| eprintln!("{what}");

    if wants("empty") {
        for row in empty::measure(meter) {
            let empty::Row {
                store,
                allocated: Allocated { count, bytes },
                inline,
            } = row;
            println!("empty {store:<14} {bytes:>9} bytes, {count} allocations, itself {inline}");
        }
    }
    if wants("ops") {
        let plan = if quick {
            ops::Plan::quick(1, Some(meter))
        } else {
            ops::Plan::full(1, Some(meter))
        };
        let measured = ops::measure(&plan, &mut progress);
        for row in measured.rows {
            let allocations = row.allocations.unwrap_or_default();
            print!(
                "ops {:>7} {:<16}{:<14}{:>9.1} ns{allocations:>7.2} allocations",
                row.servers, row.op, row.store, row.ns
            );
            match row.bytes_per_server {
                Some(bytes) => println!("{bytes:>8.0} bytes a server"),
                None => println!(),
            }
        }
        println!("ops a clone of a name {:.1} ns", measured.name_clone_ns);
    }
    if wants("contention") {
        let plan = if quick {
            contention::Plan::quick(1)
        } else {
            contention::Plan::full(1)
        };
        for row in contention::measure(&plan, &mut progress) {
            println!(
                "contention {:<12}{:<14}{:>2} threads {:>8.3} million operations/s each",
                row.mix,
                row.store,
                row.threads,
                row.ops_per_s_per_thread / 1e6
            );
        }
    }
    if wants("scale") {
        let plan = if quick {
            scale::Plan::quick(1, meter)
        } else {
            scale::Plan::full(1, meter)
        };
        let scale = scale::measure(&plan, &mut progress);
        println!("scale {scale:#?}");
    }
}
