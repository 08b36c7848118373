//! A process that ends with ours.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::RedisSettings;

/// The process of a Redis, and a shell that ends it when this process is killed and drops nothing.
#[derive(Debug)]
pub(super) struct Process {
    pub(super) redis: Child,
    guard: Option<Child>,
}

impl Process {
    /// Starts both. The directory is Redis's to write to.
    pub(super) fn start(settings: &RedisSettings, port: u16, dir: &Path) -> io::Result<Self> {
        let redis = Command::new(&settings.program)
            .args(["--bind", "127.0.0.1", "--port", &port.to_string()])
            .args(["--save", "", "--rdbcompression", "no", "--dir"])
            .arg(dir)
            .args(&settings.options)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        // Its input ends when we do. Where there is no shell, it goes without.
        let guard = Command::new("sh")
            .args(["-c", "read -r _; kill -9 \"$0\"", &redis.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok();
        Ok(Self { redis, guard })
    }

    /// Ends both, the guard first: the number that it knows may be another process's afterwards.
    pub(super) fn end(&mut self) {
        for child in self.guard.as_mut().into_iter().chain([&mut self.redis]) {
            // What has ended by itself needs no end.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}
