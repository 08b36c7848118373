//! What Redis says of itself.

use lab::redis::RedisServer;

/// The nodes of a tier.
pub(super) type Nodes<'a> = &'a [&'a RedisServer];

/// What the nodes of a tier have used since they were started.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Usage {
    /// Bytes received and sent.
    pub(super) bytes: u64,
    /// Processor time in microseconds.
    pub(super) cpu_us: f64,
    /// Memory in use now.
    pub(super) memory: u64,
}

impl Usage {
    /// Asks all nodes.
    pub(super) fn of(nodes: Nodes<'_>) -> Result<Self, String> {
        let mut all = Self::default();
        for node in nodes {
            let info = node.ask("INFO").map_err(|error| format!("INFO: {error}"))?;
            let info = String::from_utf8_lossy(&info);
            let one = Self::parse(&info).ok_or_else(|| format!("INFO lacks a field: {info}"))?;
            all.bytes += one.bytes;
            all.cpu_us += one.cpu_us;
            all.memory += one.memory;
        }
        Ok(all)
    }

    fn parse(info: &str) -> Option<Self> {
        let field = |name: &str| {
            let mut lines = info.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        };
        let count = |name| field(name)?.parse::<u64>().ok();
        let seconds = |name| field(name)?.parse::<f64>().ok();
        Some(Self {
            bytes: count("total_net_input_bytes")? + count("total_net_output_bytes")?,
            cpu_us: (seconds("used_cpu_sys")? + seconds("used_cpu_user")?) * 1e6,
            memory: count("used_memory")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let info = "used_memory_rss:9\r\nused_memory:1024\r\ntotal_net_input_bytes:10\r\n\
                    total_net_output_bytes:20\r\nused_cpu_sys:0.5\r\nused_cpu_user:1.25\r\n";
        let usage = Usage::parse(info).unwrap();
        assert_eq!((usage.bytes, usage.memory), (30, 1024));
        assert!((usage.cpu_us - 1_750_000.0).abs() < 1e-6);
        assert_eq!(Usage::parse("used_memory:1024\r\n"), None);
    }
}
