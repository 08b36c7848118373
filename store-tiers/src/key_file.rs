//! Key files: a key ring as text, one line per key, in a file that only its owner may access.
//!
//! ```text
//! tls-resume keys 1
//! names <64 hexadecimal digits>
//! key 2 <64 hexadecimal digits>
//! key 1 <64 hexadecimal digits>
//! ```
//! A key line has the key's id and the key. The first key seals, and all keys open. All machines
//! that share a tier need the same file. To rotate keys without loss, append a line with a new key
//! on every machine, then move that line up to be the first key on every machine, and remove the
//! old key when its last record has expired, at most 7 days later. A program reads the file when it
//! starts.

use std::fmt::Write as _;
use std::fs::{OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::ring::{KeyError, KeyRing, SealingKey};

const FIRST_LINE: &str = "tls-resume keys 1";
/// Most bytes of a key file.
const MAX_BYTES: u64 = 64 * 1024;

/// A key file cannot be used. The message says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read or written.
    #[error("{path}: {error}: check that the file is there and yours", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: io::Error,
    },
    /// Other users can read or change the file.
    #[error("{path}: others can read or change it (mode {mode:03o}): chmod 600 it, and if they may \
             have done so, make a new one", path = path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The file belongs to another user.
    #[error("{path}: belongs to another user: chown it, or give a key file of your own", path = path.display())]
    NotOwned {
        /// The file.
        path: PathBuf,
    },
    /// The path is not a regular file.
    #[error("{path}: not a regular file: give the path of a key file", path = path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// A line is not valid.
    #[error("{path}: line {line} is not valid in a key file: correct it or create a new file",
            path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The keys are not a valid ring.
    #[error("{path}: {error}", path = path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// The error of the ring.
        error: KeyError,
    },
}

/// Reads a key file. Fails if other users than its owner can access it.
pub fn read(path: &Path) -> Result<KeyRing, KeyFileError> {
    let io = |error| io_error(path, error);
    // Opening a pipe must not wait for its writer.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(io)?;
    // The metadata of the open file: the path may have been replaced since.
    let metadata = file.metadata().map_err(io)?;
    if !metadata.is_file() {
        return Err(KeyFileError::NotAFile { path: path.into() });
    }
    // A file that root owns is trusted, too.
    if ![rustix::process::geteuid().as_raw(), 0].contains(&metadata.uid()) {
        return Err(KeyFileError::NotOwned { path: path.into() });
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::NotPrivate {
            path: path.into(),
            mode,
        });
    }
    // For the whole file, because a buffer that grows leaves secrets in freed memory.
    let capacity = usize::try_from(metadata.size().min(MAX_BYTES)).unwrap_or_default() + 1;
    let mut text = Zeroizing::new(String::with_capacity(capacity));
    file.take(capacity as u64)
        .read_to_string(&mut text)
        .map_err(io)?;
    parse(&text, path)
}

/// Creates a key file with a new key, accessible to its owner only. Fails if the file exists.
pub fn create(path: &Path) -> Result<KeyRing, KeyFileError> {
    let ring = KeyRing::generate().map_err(|error| keys_error(path, error))?;
    write(path, &ring)?;
    Ok(ring)
}

/// Writes a key ring to a new file, accessible to its owner only, and syncs it to the disk. Fails
/// if the file exists: to change keys, write another file and rename it. A reader sees the whole
/// file or none.
pub fn write(path: &Path, ring: &KeyRing) -> Result<(), KeyFileError> {
    let io = |error| io_error(path, error);
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".keys-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder)
        .map_err(io)?;
    file.write_all(format(ring).as_bytes()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    let persisted = file.persist_noclobber(path);
    persisted.map(drop).map_err(|error| io(error.error))
}

/// Reads the key file, or creates it if it does not exist. Of several processes that do so at the
/// same time, one creates it and the others read it.
pub fn read_or_create(path: &Path) -> Result<KeyRing, KeyFileError> {
    let is = |error: &KeyFileError, kind| matches!(error, KeyFileError::Io { error, .. } if error.kind() == kind);
    match read(path) {
        Err(error) if is(&error, io::ErrorKind::NotFound) => {}
        done => return done,
    }
    match create(path) {
        Err(error) if is(&error, io::ErrorKind::AlreadyExists) => read(path),
        done => done,
    }
}

pub(crate) fn format(ring: &KeyRing) -> Zeroizing<String> {
    let lines = ring.keys().len() + 2;
    let mut text = Zeroizing::new(String::with_capacity(lines * 96));
    // Writing to a string does not fail.
    let _ = writeln!(text, "{FIRST_LINE}");
    text.push_str("names ");
    push_hex(&mut text, ring.names());
    for key in ring.keys() {
        let _ = write!(text, "\nkey {} ", key.id);
        push_hex(&mut text, &key.secret);
    }
    text.push('\n');
    text
}

pub(crate) fn parse(text: &str, path: &Path) -> Result<KeyRing, KeyFileError> {
    let invalid = |line| KeyFileError::Line {
        path: path.into(),
        line,
    };
    let mut lines = text.lines().zip(1..);
    if lines.next().is_none_or(|(first, _)| first != FIRST_LINE) {
        return Err(invalid(1));
    }
    let names = lines
        .next()
        .and_then(|(line, _)| line.strip_prefix("names "));
    let names = names.and_then(from_hex).ok_or_else(|| invalid(2))?;
    let key = |(line, number): (&str, usize)| {
        let (id, secret) = line.strip_prefix("key ")?.split_once(' ')?;
        let key = SealingKey {
            id: id.parse().ok()?,
            secret: from_hex(secret)?,
        };
        Some(key).filter(|_| number > 2)
    };
    let keys = lines.map(|line| key(line).ok_or_else(|| invalid(line.1)));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    KeyRing::from_parts(names, keys).map_err(|error| keys_error(path, error))
}

fn push_hex(text: &mut String, bytes: &[u8; 32]) {
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from_digit(digit.into(), 16).unwrap_or('0'));
        }
    }
}

fn from_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digits: &[u8; 64] = text.as_bytes().try_into().ok()?;
    let mut bytes = Zeroizing::new([0; 32]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let digit = char::from(*digit).to_digit(16)?;
            *byte = *byte << 4 | u8::try_from(digit).ok()?;
        }
    }
    Some(bytes)
}

fn io_error(path: &Path, error: io::Error) -> KeyFileError {
    KeyFileError::Io {
        path: path.into(),
        error,
    }
}

fn keys_error(path: &Path, error: KeyError) -> KeyFileError {
    KeyFileError::Keys {
        path: path.into(),
        error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn with_path(test: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        test(&folder.path().join("keys"));
    }

    fn two_keys() -> KeyRing {
        KeyRing::new([1; 32], [(2, [2; 32]), (1, [3; 32])]).unwrap()
    }

    fn same(one: &KeyRing, other: &KeyRing) -> bool {
        *format(one) == *format(other)
    }

    #[test]
    fn a_written_file_reads_back() {
        with_path(|path| {
            let ring = two_keys();
            write(path, &ring).unwrap();
            assert!(same(&read(path).unwrap(), &ring));
            assert_eq!(read(path).unwrap().key_ids().count(), 2);
        });
    }

    /// R25: it is created so, and refused otherwise.
    #[test]
    fn only_the_owner_may_read_it() {
        with_path(|path| {
            create(path).unwrap();
            assert_eq!(fs::metadata(path).unwrap().mode() & 0o777, 0o600);
            for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o777] {
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
                let error = read(path).unwrap_err();
                assert!(
                    matches!(error, KeyFileError::NotPrivate { .. }),
                    "{mode:o}: {error}"
                );
            }
            fs::set_permissions(path, Permissions::from_mode(0o400)).unwrap();
            read(path).unwrap();
        });
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        with_path(|path| {
            let ring = create(path).unwrap();
            assert!(matches!(create(path), Err(KeyFileError::Io { .. })));
            assert!(same(&read_or_create(path).unwrap(), &ring));
        });
    }

    /// Reading needs no write access to the folder.
    #[test]
    fn reading_creates_no_file() {
        with_path(|path| {
            create(path).unwrap();
            let folder = path.parent().unwrap();
            let before = fs::metadata(folder).unwrap().modified().unwrap();
            read_or_create(path).unwrap();
            assert_eq!(fs::metadata(folder).unwrap().modified().unwrap(), before);
        });
    }

    #[test]
    fn a_pipe_is_an_error_without_waiting() {
        with_path(|path| {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let pipe =
                rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0);
            pipe.unwrap();
            let error = read_or_create(path).unwrap_err();
            assert!(matches!(error, KeyFileError::NotAFile { .. }), "{error}");
        });
    }

    #[test]
    fn concurrent_creators_get_the_same_keys() {
        for _ in 0..20 {
            with_path(|path| {
                let rings: Vec<KeyRing> = std::thread::scope(|scope| {
                    let start = || scope.spawn(|| read_or_create(path).unwrap());
                    let threads: Vec<_> = std::iter::repeat_with(start).take(8).collect();
                    let rings = threads.into_iter().map(|thread| thread.join().unwrap());
                    rings.collect()
                });
                assert!(rings.iter().all(|ring| same(ring, &rings[0])));
                let left = fs::read_dir(path.parent().unwrap()).unwrap().count();
                assert_eq!(left, 1, "nothing but the file");
            });
        }
    }

    #[test]
    fn an_invalid_file_is_an_error_with_its_line() {
        with_path(|path| {
            let valid = format(&two_keys());
            let cases: [(String, usize); 6] = [
                (String::new(), 1),
                ("other\n".into(), 1),
                (valid.replace("names ", "name "), 2),
                (valid.replacen("key 2 ", "key x ", 1), 3),
                (format!("{}\nkey 3 00", valid.trim_end()), 5),
                (format!("{}\n\n", valid.trim_end()), 5),
            ];
            for (text, expected) in cases {
                let _ = fs::remove_file(path);
                fs::write(path, &text).unwrap();
                fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
                match read(path) {
                    Err(KeyFileError::Line { line, .. }) => assert_eq!(line, expected, "{text}"),
                    other => panic!("{other:?} of {text}"),
                }
            }
        });
    }

    #[test]
    fn errors_say_what_to_do() {
        with_path(|path| {
            let error = read(path).unwrap_err().to_string();
            assert!(error.contains("check that the file is there"), "{error}");
            let folder = path.parent().unwrap();
            let error = read(folder).unwrap_err().to_string();
            assert!(error.contains("not a regular file"), "{error}");
            fs::write(path, format!("{FIRST_LINE}\nnames {}\n", "0".repeat(64))).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
            assert!(
                read(path)
                    .unwrap_err()
                    .to_string()
                    .contains("give at least one")
            );
        });
    }
}
