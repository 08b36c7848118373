//! The page in Chromium, at several widths, light and dark: charts are drawn, no text is cut off or
//! overlaps another, nothing is fetched, and the console stays empty.

use std::fmt::Write;
use std::fs;
use std::process::Command;

use report::{Report, html};
use serde_json::Value;

use crate::sample;

/// Inspects each frame and writes the defects into the document.
const INSPECT: &str = include_str!("inspect.js");

/// Screen widths in pixels: a desktop, a phone, a small phone.
const WIDTHS: [u32; 3] = [1_280, 390, 360];

/// Opens the page at every width, light and dark; the findings of each frame.
fn inspect(page: &str) -> Vec<Value> {
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
    let _ = write!(outer, "<pre id=\"found\"></pre><script>{INSPECT}</script>");

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
    let stderr = String::from_utf8_lossy(&output.stderr);
    let messages: Vec<_> = stderr
        .lines()
        .filter(|line| line.contains("CONSOLE"))
        .collect();
    assert_eq!(messages, [""; 0]);
    let dom = String::from_utf8(output.stdout).unwrap();
    let found = dom
        .split_once("<pre id=\"found\">")
        .and_then(|(_, rest)| rest.split_once("</pre>"))
        .map(|(found, _)| found)
        .filter(|found| !found.is_empty())
        .unwrap_or_else(|| panic!("no findings: {stderr}"));
    let found = found
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&amp;", "&");
    serde_json::from_str(&found).unwrap()
}

fn assert_readable(report: &Report, charts: u64) {
    let frames = inspect(&html::page(report).unwrap());
    assert_eq!(frames.len(), 2 * WIDTHS.len());
    for frame in frames {
        assert_eq!(frame["defects"], Value::Array(Vec::new()), "{frame:#}");
        assert_eq!(frame["charts"], charts, "{frame:#}");
        assert_eq!(frame["requests"], 0, "{frame:#}");
        assert!(frame["texts"].as_u64() >= Some(2 * charts), "{frame:#}");
        assert!(frame["marks"].as_u64() >= Some(charts), "{frame:#}");
    }
}

#[test]
fn every_chart_of_a_full_report_is_readable() {
    assert_readable(&sample::full(), 21);
}

#[test]
fn a_report_with_one_row_is_readable() {
    assert_readable(&sample::small(), 1);
}

#[test]
fn long_names_do_not_overlap() {
    let mut report = sample::full();
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
    assert_readable(&report, 21);
}

/// Checks that the inspection finds defects.
#[test]
fn the_inspection_finds_defects() {
    let page = html::page(&sample::small()).unwrap();
    for (old, new, defect) in [
        ("max-width: 72rem", "min-width: 2000px", "the page scrolls"),
        (
            "tabular-nums }\ndetails",
            "tabular-nums; font-size: 90px }\ndetails",
            "cut off",
        ),
        ("color: var(--text)", "color: var(--page)", "low contrast"),
        ("<rect", "<desc", "no mark is visible"),
        ("class=\"chart\"", "style=\"width: 100px\"", "small"),
        ("189\u{a0}ns", "<tspan x=\"9\">189 ns</tspan>", "overlaps"),
    ] {
        assert!(page.contains(old), "{old}");
        let found = inspect(&page.replace(old, new));
        let defects = found
            .iter()
            .flat_map(|frame| frame["defects"].as_array().unwrap());
        let defects: Vec<_> = defects.map(|text| text.as_str().unwrap()).collect();
        assert!(
            defects.iter().any(|text| text.contains(defect)),
            "{defect}: {defects:#?}"
        );
    }
}
