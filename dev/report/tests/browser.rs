//! The page in a browser: charts are drawn, nothing is cut off or written over something else, on a
//! wide screen and on a phone, on light and on dark pages, without a network or a complaint.

mod common;

use std::fmt::Write;
use std::fs;
use std::process::Command;

use report::{Report, html};
use serde_json::Value;

/// Looks at each frame and writes what is wrong into the document.
const LOOK: &str = include_str!("browser/look.js");

/// Widths of a screen: a desk's, a phone's, a small phone's.
const WIDTHS: [u32; 3] = [1_280, 390, 360];

/// Opens the page at every width, light and dark; gives what was found in each frame.
fn look(page: &str) -> Vec<Value> {
    let quoted = page.replace('&', "&amp;").replace('"', "&quot;");
    let mut outer =
        String::from("<!doctype html><meta charset=\"utf-8\"><link rel=\"icon\" href=\"data:,\">");
    for scheme in ["light", "dark"] {
        for width in WIDTHS {
            let _ = write!(
                outer,
                "<iframe style=\"color-scheme: {scheme}; width: {width}px; height: 800px; \
                 border: 0\" data-scheme=\"{scheme}\" srcdoc=\"{quoted}\"></iframe>"
            );
        }
    }
    let _ = write!(outer, "<pre id=\"found\"></pre><script>{LOOK}</script>");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("outer.html");
    fs::write(&file, outer).unwrap();
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--no-first-run",
        ])
        .args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ])
        .args([
            "--enable-logging=stderr",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            directory.path().join("user").display()
        ))
        .arg(format!("file://{}", file.display()))
        .output()
        .expect("chromium is missing: ./scripts/install chromium");
    let said = String::from_utf8_lossy(&output.stderr);
    let complaints: Vec<_> = said
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert_eq!(complaints, [""; 0]);
    let dom = String::from_utf8(output.stdout).unwrap();
    let found = dom
        .split_once("<pre id=\"found\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .map(|(found, _)| found)
        .filter(|found| !found.is_empty())
        .unwrap_or_else(|| panic!("the browser found nothing: {said}"));
    let found = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&found).unwrap()
}

fn assert_sound(report: &Report, charts: u64) {
    let frames = look(&html::page(report).unwrap());
    assert_eq!(frames.len(), 2 * WIDTHS.len());
    for frame in frames {
        assert_eq!(frame["wrong"], Value::Array(Vec::new()), "{frame:#}");
        assert_eq!(frame["charts"], charts, "{frame:#}");
        assert_eq!(frame["requests"], 0, "{frame:#}");
        assert!(frame["texts"].as_u64() >= Some(2 * charts), "{frame:#}");
        assert!(frame["marks"].as_u64() >= Some(charts), "{frame:#}");
    }
}

#[test]
fn every_chart_of_a_full_report_can_be_read() {
    assert_sound(&common::full(), 19);
}

#[test]
fn a_report_with_hardly_anything_can_be_read() {
    assert_sound(&common::small(), 1);
}

#[test]
fn long_names_are_not_written_over_anything() {
    let mut report = common::full();
    let long = "a-store-with-a-name-that-is-longer-than-any-chart-is-wide-".repeat(3);
    for (at, row) in report.hit_rate.iter_mut().enumerate() {
        if at % 10 == 0 {
            row.store.clone_from(&long);
        }
    }
    report.store_ops[0].store.clone_from(&long);
    report.store_ops[1].ns_median = 1e12;
    report.store_ops[2].ns_median = 0.0;
    report.handshakes[2].store_ns = Some(-150_000.0);
    report.handshakes[2].store_ns_low = Some(-160_000.0);
    report.environment.command = "x".repeat(3_000);
    assert_sound(&report, 19);
}

/// That the others can fail.
#[test]
fn the_browser_sees_what_is_wrong() {
    let page = html::page(&common::small()).unwrap();
    for (old, new, says) in [
        ("max-width: 72rem", "min-width: 2000px", "the page scrolls"),
        (
            "tabular-nums }\ndetails",
            "tabular-nums; font-size: 90px }\ndetails",
            "cut off",
        ),
        ("color: var(--text)", "color: var(--page)", "hard to see"),
        ("<rect", "<desc", "no mark can be seen"),
        ("class=\"chart\"", "style=\"width: 100px\"", "small"),
        (
            "189\u{a0}ns",
            "<tspan x=\"9\">189 ns</tspan>",
            "is written over",
        ),
    ] {
        assert!(page.contains(old), "{old}");
        let found = look(&page.replace(old, new));
        let wrong = found
            .iter()
            .flat_map(|frame| frame["wrong"].as_array().unwrap());
        let wrong: Vec<_> = wrong.map(|wrong| wrong.as_str().unwrap()).collect();
        assert!(
            wrong.iter().any(|wrong| wrong.contains(says)),
            "{says}: {wrong:#?}"
        );
    }
}
