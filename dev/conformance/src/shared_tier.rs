//! The tier that child processes share.

use std::fs;
use std::path::{Path, PathBuf};

use lab::redis::RedisServer;
use tempfile::TempDir;

use crate::check::{CheckResult, holds, message};
use crate::client::Store;

/// A tier for a claim, with a temporary folder.
pub(crate) struct SharedTier {
    url: String,
    keys: PathBuf,
    folder: TempDir,
    redis: Option<RedisServer>,
}

impl SharedTier {
    /// An LMDB tier.
    pub(crate) fn lmdb() -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(message)?;
        let directory = folder.path().join("sessions");
        Ok(Self {
            url: format!("lmdb:{}", directory.display()),
            keys: folder.path().join("keys"),
            folder,
            redis: None,
        })
    }

    /// A tier in a new Redis server.
    pub(crate) fn redis() -> Result<Self, String> {
        let redis = RedisServer::start().map_err(message)?;
        let tier = Self::redis_at(redis.port())?;
        Ok(Self {
            redis: Some(redis),
            ..tier
        })
    }

    /// A tier in the Redis that is, or should be, at this port.
    pub(crate) fn redis_at(port: u16) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(message)?;
        Ok(Self {
            url: format!("redis://127.0.0.1:{port}"),
            keys: folder.path().join("keys"),
            folder,
            redis: None,
        })
    }

    /// Has the Redis server save a snapshot.
    pub(crate) fn save(&self) -> CheckResult {
        let redis = self.redis.as_ref().ok_or("the tier is no Redis")?;
        redis.dump().map(drop).map_err(message)
    }

    /// Kills the Redis server, and starts it again with the snapshot, which has records.
    pub(crate) fn restart(&mut self) -> CheckResult {
        let redis = self.redis.as_mut().ok_or("the tier is no Redis")?;
        redis.restart().map_err(message)?;
        let size = redis.ask("DBSIZE").map_err(message)?;
        holds(size != b":0\r\n", "the snapshot has records")
    }

    /// The setting of a client.
    pub(crate) fn store(&self) -> Store {
        Store {
            url: self.url.clone(),
            keys: self.keys.clone(),
        }
    }

    /// The setting of a client with another key file.
    pub(crate) fn store_with_other_keys(&self) -> Store {
        Store {
            keys: self.folder.path().join("other keys"),
            ..self.store()
        }
    }

    /// The directory of an LMDB tier.
    pub(crate) fn directory(&self) -> PathBuf {
        self.folder.path().join("sessions")
    }

    /// The paths of the LMDB tier's files and directories, and of the key file.
    pub(crate) fn paths(&self) -> Result<Vec<PathBuf>, String> {
        let mut found = vec![self.keys.clone()];
        collect(&self.directory(), &mut found)?;
        Ok(found)
    }

    /// The path of LMDB's data file.
    pub(crate) fn data_file(&self) -> Result<PathBuf, String> {
        let paths = self.paths()?;
        let data = |path: &PathBuf| path.ends_with("data.mdb");
        let found = paths.into_iter().find(data);
        found.ok_or_else(|| "the tier has no data.mdb".to_owned())
    }
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) -> Result<(), String> {
    found.push(path.to_owned());
    if path.is_dir() {
        for entry in fs::read_dir(path).map_err(message)? {
            collect(&entry.map_err(message)?.path(), found)?;
        }
    }
    Ok(())
}
