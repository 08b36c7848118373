//! Ctrl-C: finished sections are saved, and no processes or files remain.
#![cfg(unix)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::directory;

/// The contents of report.json before the run.
const EARLIER: &str = "an earlier one";

const TIMEOUT: Duration = Duration::from_secs(120);

/// The program, with a directory of its own for all its files.
struct Running {
    process: Child,
    dir: PathBuf,
    report: PathBuf,
}

impl Running {
    fn start(name: &str, only: &str) -> Self {
        Self::start_with(&["--default-signal=INT,TERM,HUP"], name, only)
    }

    /// Sets signals by `env`: the test runner may ignore some, as a background job of a shell does.
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
            .args(["run", "--only", only, "--out"])
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
            assert!(begun.elapsed() < TIMEOUT, "{what}: {}", self.stderr());
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn send(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// Ends the program with a signal. Returns the last line of its standard error.
    fn end(&mut self, signal: Signal) -> String {
        self.send(signal);
        let status = self.process.wait().unwrap();
        assert_eq!(status.code(), Some(130), "{}", self.stderr());
        self.stderr().lines().last().unwrap_or_default().to_owned()
    }

    /// The names of its child processes.
    fn children(&self) -> Vec<String> {
        let parent = self.process.id().to_string();
        processes()
            .filter(|(_, stat)| stat.first() == Some(&parent))
            .map(|(name, _)| name)
            .collect()
    }

    /// Processes and temporary files that remain.
    fn remains(&self) -> Vec<String> {
        let temporary = self.dir.join("tmp");
        let files = fs::read_dir(&temporary).unwrap();
        let files = files.map(|file| file.unwrap().path().display().to_string());
        let dir = temporary.display().to_string();
        let is_ours = |pid: &str| {
            let environment = fs::read(format!("/proc/{pid}/environ"));
            environment.is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(&dir))
        };
        let running = pids().filter(|pid| is_ours(pid));
        files.chain(running).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.process.kill(); // nothing remains if a test fails, either
        let _ = self.process.wait();
    }
}

fn pids() -> impl Iterator<Item = String> {
    let all = fs::read_dir("/proc").unwrap();
    all.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The names of all processes, and the fields of `/proc/PID/stat` from the parent's id on.
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
    assert_eq!(report["skipped"]["memory"], "not in --only");
    let why = report["skipped"]["tiers"].as_str().unwrap();
    assert!(why.starts_with("interrupted before it "), "{why}");
    assert!(report["skipped"]["scale"].is_null());
    assert!(run.report.with_extension("html").exists());
}

#[test]
fn a_section_is_interrupted_between_handshakes() {
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
fn an_ignored_hangup_does_not_interrupt() {
    let nohup = ["--default-signal=INT", "--ignore-signal=HUP"];
    let mut run = Running::start_with(&nohup, "interrupt-nohup", "scale,tiers");
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

/// The signal goes to the program only, not to its children, as with `kill`.
#[test]
fn child_processes_and_temporary_files_do_not_remain() {
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
        assert_eq!(run.remains(), Vec::<String>::new(), "{section}");
    }
}
