//! Where children share their sessions.

use std::env;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::LONGEST;
use crate::client::Store;
use crate::stage::said;

/// A place, with a folder of its own that goes with it.
pub(crate) struct Place {
    url: String,
    keys: PathBuf,
    folder: TempDir,
    _process: Option<Redis>,
}

impl Place {
    /// A file by LMDB.
    pub(crate) fn lmdb() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(said)?;
        let directory = folder.path().join("sessions");
        Ok(Self {
            url: format!("lmdb:{}", directory.display()),
            keys: folder.path().join("keys"),
            folder,
            _process: None,
        })
    }

    /// A Redis of its own.
    pub(crate) fn redis() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(said)?;
        let redis = Redis::start(folder.path())?;
        Ok(Self {
            _process: Some(redis.0),
            ..Self::at(redis.1)?
        })
    }

    /// Whatever is at this port of this machine, to be spoken to as a Redis.
    pub(crate) fn at(port: u16) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(said)?;
        Ok(Self {
            url: format!("redis://127.0.0.1:{port}"),
            keys: folder.path().join("keys"),
            folder,
            _process: None,
        })
    }

    /// How a client is told of it.
    pub(crate) fn store(&self) -> Store {
        Store {
            url: self.url.clone(),
            keys: self.keys.clone(),
        }
    }

    /// The same place under keys of its own.
    pub(crate) fn under_other_keys(&self) -> Store {
        Store {
            keys: self.folder.path().join("other keys"),
            ..self.store()
        }
    }

    /// The directory of the place by LMDB.
    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.path().join("sessions")
    }

    /// All that lies there: its files and directories, and the keys.
    pub(crate) fn contents(&self) -> Result<Vec<PathBuf>, String> {
        let mut found = vec![self.keys.clone()];
        collect(&self.directory(), &mut found)?;
        Ok(found)
    }

    /// The file that LMDB keeps its records in.
    pub(crate) fn data_file(&self) -> Result<PathBuf, String> {
        let contents = self.contents()?;
        let data = |path: &PathBuf| path.ends_with("data.mdb");
        let found = contents.into_iter().find(data);
        found.ok_or_else(|| "there is no file of LMDB's".to_owned())
    }
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    found.push(path.to_owned());
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(said)? {
            collect(&entry.map_err(said)?.path(), found)?;
        }
    }
    Ok(())
}

/// A port where nobody listens.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(said)?;
    Ok(listener.local_addr().map_err(said)?.port())
}

const REDIS: &str = "redis-server";

/// Why there can be no Redis, if there cannot.
pub(crate) fn redis_is_missing() -> Option<&'static str> {
    let path = env::var_os("PATH").unwrap_or_default();
    let installed = env::split_paths(&path).any(|folder| folder.join(REDIS).is_file());
    (!installed).then_some("redis-server is not installed")
}

/// A Redis that is killed when it is dropped.
struct Redis(Child);

impl Redis {
    /// Starts one that keeps all in memory, and gives its port.
    fn start(folder: &Path) -> Result<(Self, u16), String> {
        let port = free_port()?;
        let child = Command::new(REDIS)
            .args(["--bind", "127.0.0.1", "--save", "", "--port"])
            .arg(port.to_string())
            .arg("--dir")
            .arg(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(said)?;
        let redis = Self(child);
        let begun = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if begun.elapsed() > LONGEST {
                return Err("redis-server does not answer".to_owned());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok((redis, port))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
