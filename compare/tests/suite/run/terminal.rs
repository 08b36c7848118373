//! Progress and colours on a terminal, and neither elsewhere.
#![cfg(unix)]

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::program::{Ran, directory};

const BOLD: &str = "\u{1b}[1m";

/// A run of these sections, in a directory of this name.
fn command(name: &str, only: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_compare"));
    command
        .args(["run", "--only", only, "--out"])
        .arg(directory(name))
        .env_remove("NO_COLOR")
        .env_remove("CLICOLOR_FORCE")
        .env("TERM", "xterm-256color");
    command
}

/// The output of a run on a terminal with this many columns.
fn on_a_terminal(mut command: Command, columns: u16) -> String {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let ours = openpt(flags).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize {
        ws_row: 50,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(&ours, size).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = OpenOptions::new()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut process = command
        .stdin(Stdio::null())
        .stdout(theirs.try_clone().unwrap())
        .stderr(theirs)
        .spawn()
        .unwrap();
    drop(command); // it holds the terminal open
    let reader = thread::spawn(move || {
        let mut shown = Vec::new();
        // Fails when no process has the terminal open any more.
        let _ = File::from(ours).read_to_end(&mut shown);
        String::from_utf8_lossy(&shown).into_owned()
    });
    assert_eq!(process.wait().unwrap().code(), Some(0));
    reader.join().unwrap()
}

/// Lines without escape sequences.
fn lines(shown: &str) -> Vec<String> {
    let plain = anstream::adapter::strip_str(shown).to_string();
    plain.split(['\r', '\n']).map(str::to_owned).collect()
}

#[test]
fn a_terminal_shows_a_bar_and_colours() {
    for (columns, only) in [(200, "scale,contention"), (60, "scale")] {
        let shown = on_a_terminal(command("terminal", only), columns);
        let lines = lines(&shown);
        let bars: Vec<_> = lines.iter().filter(|line| line.contains('█')).collect();
        assert!(!bars.is_empty(), "{shown:?}");
        for bar in &bars {
            assert!(bar.contains(" left"), "{bar:?}");
            let width = bar.trim_end().chars().count();
            assert!(width <= usize::from(columns).min(100), "{width}: {bar:?}");
        }
        assert!(bars.iter().any(|bar| bar.starts_with("[1/")));
        assert!(shown.contains(BOLD), "{shown:?}");
        if columns > 100 {
            assert!(bars.iter().any(|bar| bar.starts_with("[2/2] scale")));
            for line in &lines {
                assert!(line.trim_end().chars().count() <= 100, "{line:?}");
            }
        }
    }
}

#[test]
fn no_color_turns_colours_off() {
    let mut command = command("no-color", "scale");
    command.env("NO_COLOR", "1");
    let shown = on_a_terminal(command, 100);
    assert!(!shown.contains(BOLD), "{shown:?}");
    assert!(shown.contains("[1/1] scale"), "{shown:?}");
}

#[test]
fn without_a_terminal_each_section_begins_with_a_line() {
    for (forced, name) in [(false, "plain"), (true, "forced")] {
        let mut command = command(name, "scale");
        if forced {
            command.env("CLICOLOR_FORCE", "1");
        }
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, 0, "{}", ran.err);
        let lines: Vec<_> = ran.err.lines().collect();
        assert_eq!(lines.len(), 1, "{}", ran.err);
        let line = lines[0];
        assert!(line.starts_with("compare: [1/1] scale: "), "{line}");
        assert!(line.contains("million servers"), "{line}");
        assert!(!ran.err.contains('\u{1b}'));
        assert_eq!(ran.out.contains(BOLD), forced, "{}", ran.out);
    }
}
