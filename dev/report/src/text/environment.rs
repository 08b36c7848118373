//! The environment of a run as text.

use super::style::Style;
use crate::Environment;

/// The environment, a line per topic. Markdown also lists the peers' versions and the command.
pub fn text(environment: &Environment, style: Style) -> String {
    let Environment {
        machine,
        cores,
        system,
        rustc,
        openssl,
        versions,
        allocator,
        pinned,
        date,
        seed,
        command,
        ..
    } = environment;
    let version = |name: &str| versions.get(name).map_or("?", String::as_str);
    let mut lines = vec![
        format!("{machine}, {cores} cores, {system}; {rustc}; allocator: {allocator}"),
        format!(
            "rustls {} on aws-lc-rs {}; {openssl}",
            version("rustls"),
            version("aws-lc-rs")
        ),
    ];
    lines.extend(
        pinned
            .iter()
            .map(|(name, value)| format!("{name}: {value}")),
    );
    if environment.profile != "release" {
        lines.push("Built without --release: these numbers are meaningless.".to_owned());
    }
    let shown = |lines: &[String]| -> Vec<String> {
        let lines = lines.iter();
        lines.map(|line| style.line(line)).collect()
    };
    match style {
        Style::Terminal | Style::Coloured => shown(&lines).join("\n"),
        Style::Markdown => {
            let peers =
                ["lru", "quick_cache", "moka"].map(|peer| format!("{peer} {}", version(peer)));
            lines.push(peers.join(", "));
            lines.push(format!("{date}, seed {seed}: `{command}`"));
            format!("- {}", shown(&lines).join("\n- "))
        }
    }
}
