//! Where children share their sessions.

use std::fs;
use std::path::{Path, PathBuf};

use lab::redis::RedisServer;
use tempfile::TempDir;

use crate::client::Store;
use crate::stage::said;

/// A place, with a folder of its own that goes with it.
pub(crate) struct Place {
    url: String,
    keys: PathBuf,
    folder: TempDir,
    _redis: Option<RedisServer>,
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
            _redis: None,
        })
    }

    /// A Redis of its own.
    pub(crate) fn redis() -> Result<Self, String> {
        let redis = RedisServer::start().map_err(said)?;
        let place = Self::at(redis.port())?;
        Ok(Self {
            _redis: Some(redis),
            ..place
        })
    }

    /// Whatever is at this port of this machine, to be spoken to as a Redis.
    pub(crate) fn at(port: u16) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(said)?;
        Ok(Self {
            url: format!("redis://127.0.0.1:{port}"),
            keys: folder.path().join("keys"),
            folder,
            _redis: None,
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
