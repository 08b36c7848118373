//! The page and the chart.

use report::{Report, html};
use serde_json::Value;

use crate::sample;

#[test]
fn the_same_report_gives_the_same_bytes() {
    let report = sample::full();
    let saved = tempfile::tempdir().unwrap();
    let file = saved.path().join("report.json");
    report.save(&file).unwrap();
    let again = Report::read(&file).unwrap();
    assert_eq!(html::page(&report).unwrap(), html::page(&again).unwrap());
    assert_eq!(html::chart(&report).unwrap(), html::chart(&again).unwrap());
}

#[test]
fn the_page_is_self_contained() {
    let page = html::page(&sample::full()).unwrap();
    for outside in [
        "http://",
        "https://",
        "//",
        "src=",
        "url(",
        "@import",
        "<script",
        "<link rel=\"style",
    ] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn text_of_a_report_is_escaped() {
    const EVIL: &str = "</style><script>alert('1')</script>\"'&\u{0}";
    let mut json = serde_json::to_value(sample::full()).unwrap();
    let mut strings = 0;
    replace_strings(&mut json, EVIL, &mut strings);
    assert!(strings > 500, "{strings}");
    let report: Report = serde_json::from_value(json).unwrap();
    let page = html::page(&report).unwrap();
    assert!(!page.contains("<script"), "a script is in the page");
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(page.contains("&#60;script") || page.contains("&lt;script"));

    // The fields that select a row's chart, one at a time.
    let full = serde_json::to_value(sample::full()).unwrap();
    for section in full
        .as_object()
        .unwrap()
        .keys()
        .filter(|key| full[*key].is_array())
    {
        for field in full[section][0].as_object().unwrap().keys() {
            if !full[section][0][field].is_string() {
                continue;
            }
            let mut json = full.clone();
            for row in json[section].as_array_mut().unwrap() {
                row[field] = Value::String(EVIL.to_owned());
            }
            let report: Report = serde_json::from_value(json).unwrap();
            let page = html::page(&report).unwrap();
            assert!(!page.contains("<script"), "{section}.{field}");
            if let Ok(chart) = html::chart(&report) {
                roxmltree::Document::parse(&chart).unwrap();
            }
        }
    }
}

/// Replaces every string and every key of a map by `text`, except for the format's own words.
fn replace_strings(json: &mut Value, text: &str, count: &mut usize) {
    match json {
        Value::String(string) if !["pass", "fail", "not_applicable"].contains(&string.as_str()) => {
            text.clone_into(string);
            *count += 1;
        }
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| replace_strings(value, text, count)),
        Value::Object(values) => {
            for (key, value) in values.iter_mut() {
                replace_strings(value, text, count);
                if key == "versions" || key == "pinned" {
                    *value = serde_json::json!({ text: text });
                }
            }
        }
        _ => {}
    }
}

#[test]
fn numbers_of_any_size_are_drawn() {
    let full = serde_json::to_value(sample::full()).unwrap();
    for number in [0.0, -1.0, 1e-300, 1e300, f64::MAX, f64::MIN] {
        let mut json = full.clone();
        set_numbers(&mut json, number);
        let report: Report = serde_json::from_value(json).unwrap();
        html::page(&report).unwrap();
        html::chart(&report).unwrap();
    }
    let mut report = sample::full();
    report.environment.cores = 0;
    for row in &mut report.contention {
        row.threads = 0;
    }
    html::page(&report).unwrap();
}

fn set_numbers(json: &mut Value, number: f64) {
    match json {
        Value::Number(old) if old.is_f64() => *json = serde_json::json!(number),
        Value::Array(values) => values
            .iter_mut()
            .for_each(|value| set_numbers(value, number)),
        Value::Object(values) => values
            .values_mut()
            .for_each(|value| set_numbers(value, number)),
        _ => {}
    }
}

#[test]
fn missing_sections_have_a_reason() {
    let mut report = sample::small();
    report
        .skipped
        .insert("hit_rate".to_owned(), "not asked for".to_owned());
    let page = html::page(&report).unwrap();
    assert!(page.contains("Hit rate at equal size: not asked for"));
    assert!(page.contains("is not in this report: did not run"));
    assert!(!page.contains("id=\"burst\"") && page.contains("id=\"store_ops\""));
    let page = html::page(&sample::full()).unwrap();
    assert!(page.contains("Missing: tiers (redis): no redis-server was found."));
    assert!(page.contains("openssl: the second handshake was full"));
    assert!(page.contains("n/a on rustls-preview: R9: nothing unwinds into C"));
    assert!(!page.contains("Missing sections"));
}

#[test]
fn the_chart_is_xml_that_contains_its_colours() {
    let chart = html::chart(&sample::full()).unwrap();
    let parsed = roxmltree::Document::parse(&chart).unwrap();
    let all = || parsed.descendants();
    assert_eq!(parsed.root_element().tag_name().name(), "svg");
    assert_eq!(
        all()
            .filter(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "rect")))
            .count(),
        8
    );
    let style = all().find(|node| node.has_tag_name(("http://www.w3.org/2000/svg", "style")));
    assert!(
        style
            .unwrap()
            .text()
            .unwrap()
            .contains("prefers-color-scheme: dark")
    );
    assert!(chart.contains("OpenSSL, resumed"));
    assert!(html::chart(&sample::small()).is_err());
}
