//! What was measured, where, and how.

use super::Style;
use crate::Environment;

/// The environment as lines of text.
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
    lines.extend(pinned.iter().map(|(what, how)| format!("{what}: {how}")));
    if environment.profile != "release" {
        lines.push("Built without --release: read no numbers from this.".to_owned());
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
