//! `compare report`: a saved report as text, as an HTML page, and inside a Markdown page.

use std::fs;

use crate::program::{compare, directory, file};
use compare::environment;
use report::{Report, StoreOpRow};

fn report() -> Report {
    let mut report = Report::new(environment::detect(1, false));
    let op = |store: &str, ns_median| StoreOpRow {
        store: store.to_owned(),
        op: "put+take".to_owned(),
        servers: 1_000,
        ns_median,
        allocations: Some(0.0),
        n: None,
        bytes_per_server: None,
    };
    report.store_ops = vec![op("tls-resume", 100.0), op("rustls-memory", 199.0)];
    report.skipped.remove("store_ops");
    report
}

#[test]
fn a_saved_report_is_shown_again_the_same_each_time() {
    let dir = directory("shown-again");
    let saved = dir.join("report.json");
    report().save(&saved).unwrap();
    let args = ["report", saved.to_str().unwrap()];
    let ran = compare(&args);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(
        ran.out.contains("Goals: 1 of 1 are reached."),
        "{}",
        ran.out
    );
    let too_wide = ran.out.lines().find(|line| line.chars().count() > 160);
    assert_eq!(too_wide, None);
    let html = dir.join("report.html");
    assert!(
        ran.out
            .ends_with(&format!("\nWritten: {}\n", html.display()))
    );
    let page = fs::read(&html).unwrap();
    assert_eq!(compare(&args).out, ran.out);
    assert_eq!(fs::read(&html).unwrap(), page);

    fs::remove_file(&html).unwrap();
    let ran = compare(&[args[0], args[1], "--html", "-"]);
    assert_eq!((ran.code, ran.out.as_bytes()), (0, page.as_slice()));
    assert!(!html.exists());
    let elsewhere = dir.join("elsewhere.html");
    let ran = compare(&[args[0], args[1], "--html", elsewhere.to_str().unwrap()]);
    assert_eq!((ran.code, fs::read(&elsewhere).unwrap()), (0, page));
    assert!(!html.exists());

    let page = dir.join("page.md");
    let text = "# Title\n\n<!-- measured: written by `compare report` -->\nold\n<!-- end of what \
                was measured -->\n\nend\n";
    fs::write(&page, text).unwrap();
    let args = ["report", args[1], "--into", page.to_str().unwrap()];
    assert_eq!(compare(&args).code, 0);
    let once = fs::read_to_string(&page).unwrap();
    assert!(
        once.starts_with("# Title\n") && once.ends_with("-->\n\nend\n"),
        "{once}"
    );
    assert!(
        once.contains("| what ") && !once.contains("\nold\n"),
        "{once}"
    );
    assert_eq!(compare(&args).code, 0);
    assert_eq!(fs::read_to_string(&page).unwrap(), once);
}

#[test]
fn no_output_overwrites_the_report_or_another_output() {
    let dir = directory("own-place");
    let saved = dir.join("report.json");
    report().save(&saved).unwrap();
    let before = fs::read(&saved).unwrap();
    let file = saved.to_str().unwrap();
    let otherwise = dir.join("../own-place/report.json");
    let otherwise = otherwise.to_str().unwrap();
    let [one, other] = ["one.html", "./one.html"].map(|name| dir.join(name));
    let [one, other] = [&one, &other].map(|path| path.to_str().unwrap());
    for args in [
        &["report", file, "--html", file][..],
        &["report", file, "--html", otherwise],
        &["report", file, "--chart", otherwise],
        &["report", file, "--into", file],
        &["report", file, "--html", one, "--chart", other],
    ] {
        let ran = compare(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.out);
        ran.one_line("name another file with --");
        assert_eq!(fs::read(&saved).unwrap(), before, "{args:?}");
    }
    assert!(!dir.join("one.html").exists());
}

#[test]
fn wrong_files_are_one_line_and_exit_code_2() {
    let dir = directory("no-report");
    let (saved, page) = (dir.join("report.json"), file("no-marks.md", "no marks"));
    report().save(&saved).unwrap();
    let [saved, page] = [&saved, &page].map(|path| path.to_str().unwrap());
    for (args, message) in [
        (&["report", "/does/not/exist"][..], "/does/not/exist: "),
        (&["report", page], "not a report"),
        (&["report", saved, "--into", page], "has no line"),
        (
            &["report", saved, "--html", "/does/not/exist"],
            "another file with --html",
        ),
        (&["report", saved, "--html", saved], "the report itself"),
        (
            &["report", saved, "--chart", "/does/not/exist"],
            "no handshakes to draw",
        ),
        (&["report", saved, "--schema"], "--schema"),
        (&["report"], "FILE"),
    ] {
        let ran = compare(args);
        assert_eq!(ran.code, 2, "{args:?}: {}", ran.err);
        ran.one_line(message);
    }
    assert_eq!(fs::read_to_string(page).unwrap(), "no marks");
}

#[test]
fn the_printed_schema_is_the_one_in_the_repository() {
    let ran = compare(&["report", "--schema"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let [printed, kept] = [&ran.out, include_str!("../../report.schema.json")]
        .map(|schema| serde_json::from_str::<serde_json::Value>(schema).unwrap());
    assert!(printed == kept, "{}", ran.out);
}
