//! Ctrl-C: what was finished is saved, and nothing is left behind.
#![cfg(unix)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::directory;

/// What lies there before the run.
const EARLIER: &str = "an earlier one";

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(120);

/// The program, with a directory of its own for everything that it makes.
struct Running {
    process: Child,
    dir: PathBuf,
    report: PathBuf,
}

impl Running {
    fn start(name: &str, only: &str) -> Self {
        Self::start_with(&["--default-signal=INT,TERM,HUP"], name, only)
    }

    /// With signals set by `env`: what runs the tests may ignore some, as a shell's background does.
    fn start_with(signals: &[&str], name: &str, only: &str) -> Self {
        let dir = directory(name);
        let (temporary, out) = (dir.join("tmp"), dir.join("out"));
        for dir in [&temporary, &out] {
            fs::create_dir_all(dir).unwrap();
        }
        fs::write(out.join("report.json"), EARLIER).unwrap();
        let process = Command::new("env")
            .args(signals)
            .arg(env!("CARGO_BIN_EXE_compare"))
            .args(["run", "--quick", "--only", only, "--out"])
            .arg(&out)
            .env("TMPDIR", &temporary)
            .stdout(File::create(dir.join("stdout")).unwrap())
            .stderr(File::create(dir.join("stderr")).unwrap())
            .spawn();
        Self {
            process: process.unwrap(),
            dir,
            report: out.join("report.json"),
        }
    }

    fn report(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(&self.report).ok()?).ok()
    }

    fn saved(&self, section: &str) -> bool {
        self.report()
            .is_some_and(|report| !report[section].as_array().unwrap().is_empty())
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.dir.join("stderr")).unwrap()
    }

    fn wait_until(&mut self, what: &str, is: impl Fn(&Self) -> bool) {
        let begun = Instant::now();
        while !is(self) {
            let ended = self.process.try_wait().unwrap();
            assert!(ended.is_none(), "{what}: {ended:?}\n{}", self.stderr());
            assert!(begun.elapsed() < LONG, "{what}: {}", self.stderr());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// The last line that it said, after the signal has ended it.
    fn end(&mut self, signal: Signal) -> String {
        self.send(signal);
        let status = self.process.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{}", self.stderr());
        self.stderr().lines().last().unwrap_or_default().to_owned()
    }

    /// Its children, by name.
    fn children(&self) -> Vec<String> {
        let parent = self.process.id().to_string();
        processes()
            .filter(|(_, stat)| stat.first() == Some(&parent))
            .map(|(name, _)| name)
            .collect()
    }

    /// Everything that it has left running or lying about.
    fn left(&self) -> Vec<String> {
        let temporary = self.dir.join("tmp");
        let files = fs::read_dir(&temporary).unwrap();
        let files = files.map(|file| file.unwrap().path().display().to_string());
        let dir = temporary.display().to_string();
        let of_us = |pid: &str| {
            let environment = fs::read(format!("/proc/{pid}/environ"));
            environment.is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&dir))
        };
        let running = pids().filter(|pid| of_us(pid));
        files.chain(running).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill(); // a test that fails leaves nothing either
        let _ = self.process.wait();
    }
}

fn pids() -> impl Iterator<Item = String> {
    let all = fs::read_dir("/proc").unwrap();
    all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Names of processes, and what `/proc` says of them from the parent on.
fn processes() -> impl Iterator<Item = (String, Vec<String>)> {
    pids().filter_map(|pid| {
        let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).ok()?;
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        let rest = rest.split_whitespace().skip(1).map(str::to_owned);
        Some((name.to_owned(), rest.collect()))
    })
}

#[test]
fn finished_sections_are_saved() {
    let mut run = Running::start("interrupt-saved", "scale,tiers");
    run.wait_until("the first section", |run| run.saved("scale"));
    let last = run.end(Signal::INT);
    assert!(last.starts_with("compare: interrupted in "), "{last}");
    assert!(last.contains(": scale"), "{last}");
    assert!(last.contains(" saved, in "), "{last}");
    assert!(last.ends_with("report.json"), "{last}");
    let report = run.report().unwrap();
    assert!(!report["scale"].as_array().unwrap().is_empty());
    assert!(report["tiers"].as_array().unwrap().is_empty());
    assert_eq!(
        report["skipped"]["memory"],
        "not asked for: --only names others"
    );
    let why = report["skipped"]["tiers"].as_str().unwrap();
    assert!(why.starts_with("interrupted before it "), "{why}");
    assert!(report["skipped"]["scale"].is_null());
    assert!(run.report.with_extension("html").exists());
}

#[test]
fn a_section_of_many_handshakes_is_given_up() {
    let mut run = Running::start("interrupt-handshakes", "handshakes,store");
    run.wait_until("the first section begins", |run| {
        run.stderr().contains("[1/2] handshakes")
    });
    let last = run.end(Signal::INT);
    assert!(
        last.starts_with("compare: interrupted in handshakes: no section had ended"),
        "{last}"
    );
    assert_eq!(fs::read_to_string(&run.report).unwrap(), EARLIER);
}

#[test]
fn a_hangup_that_is_ignored_is_none() {
    let nohup = ["--default-signal=INT", "--ignore-signal=HUP"];
    let mut run = Running::start_with(&nohup, "interrupt-nohup", "scale,store");
    run.wait_until("the first section begins", |run| {
        run.stderr().contains("[1/2]")
    });
    run.send(Signal::HUP);
    run.wait_until("the second section begins", |run| {
        run.stderr().contains("[2/2]")
    });
    let last = run.end(Signal::INT);
    assert!(last.contains(" is saved, in "), "{last}");
}

/// Only the program itself is told, not its children, as `kill` does.
#[test]
fn processes_and_directories_go_with_it() {
    for (section, child) in [("tiers", "redis-server"), ("memory", "compare")] {
        let mut run = Running::start(&format!("interrupt-{section}"), section);
        run.wait_until(child, |run| {
            run.children().iter().any(|name| name.contains(child))
        });
        let last = run.end(Signal::TERM);
        assert!(
            last.contains(&format!("interrupted in {section}: ")),
            "{last}"
        );
        assert_eq!(run.left(), Vec::<String>::new(), "{section}");
    }
}
