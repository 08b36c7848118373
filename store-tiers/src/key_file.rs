//! The file that the key ring of a place is kept in: owner-only, one line a key.
//!
//! ```text
//! tls-resume keys 1
//! names 64 hexadecimal digits
//! key 2 64 hexadecimal digits
//! key 1 64 hexadecimal digits
//! ```
//! The first key seals, all of them open. Machines that share a place have the same file. To change
//! keys without loss, add a new line at the end of it on every machine, then move that line up to be
//! the first key on every machine, and take the old one out when its last record has expired, 7 days
//! later at most. A program reads the file when it starts.

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
/// More keys than anyone rotates through, and few enough to read without harm.
const LONGEST: u64 = 64 * 1024;

/// A key file cannot be used. The message says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// It cannot be read or written.
    #[error("{path}: {error}: check that the file is there and yours", path = path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others can read or change it.
    #[error("{path}: others can read or change it (mode {mode:03o}): chmod 600 it, and if they may \
             have done so, make a new one", path = path.display())]
    NotPrivate {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// It is another user's.
    #[error("{path}: belongs to another user: chown it, or give a key file of your own", path = path.display())]
    NotOwned {
        /// The file.
        path: PathBuf,
    },
    /// It is not a regular file.
    #[error("{path}: not a regular file: give the path of a key file", path = path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// It is not written as a key file is.
    #[error("{path}: line {line} is not as it should be: make a new key file", path = path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Its keys make no ring.
    #[error("{path}: {error}", path = path.display())]
    Keys {
        /// The file.
        path: PathBuf,
        /// What is wrong with them.
        error: KeyError,
    },
}

/// Reads a key file, which nobody but its owner may be able to read or change.
pub fn read(path: &Path) -> Result<KeyRing, KeyFileError> {
    let io = |error| io_error(path, error);
    // Without waiting for whoever would write into a pipe.
    let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(nonblocking)
        .open(path)
        .map_err(io)?;
    // Of the file that is open, not of one that has taken its name since.
    let facts = file.metadata().map_err(io)?;
    if !facts.is_file() {
        return Err(KeyFileError::NotAFile { path: path.into() });
    }
    // Root's own files are as good: who is root can do anything.
    if ![rustix::process::geteuid().as_raw(), 0].contains(&facts.uid()) {
        return Err(KeyFileError::NotOwned { path: path.into() });
    }
    let mode = facts.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyFileError::NotPrivate {
            path: path.into(),
            mode,
        });
    }
    // Made for the whole file: a buffer that grows leaves secrets behind.
    let room = usize::try_from(facts.size().min(LONGEST)).unwrap_or_default() + 1;
    let mut text = Zeroizing::new(String::with_capacity(room));
    file.take(room as u64)
        .read_to_string(&mut text)
        .map_err(io)?;
    parse(&text, path)
}

/// Makes a new key file with one key, owner-only, and reads it. Fails if there is one already.
pub fn create(path: &Path) -> Result<KeyRing, KeyFileError> {
    let ring = KeyRing::generate().map_err(|error| keys_error(path, error))?;
    write(path, &ring)?;
    Ok(ring)
}

/// Writes a key ring to a new file, owner-only, and makes sure that it is on the disk. Fails if
/// there is a file already: to change keys, write another one and rename it. Whoever reads sees the
/// whole file or none.
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
    file.write_all(text_of(ring).as_bytes()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    let persisted = file.persist_noclobber(path);
    persisted.map(drop).map_err(|error| io(error.error))
}

/// Reads the key file if there is one, else makes it: what a program does that may be the first. Of
/// several that do so at once, one makes it and the others read it.
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

pub(crate) fn text_of(ring: &KeyRing) -> Zeroizing<String> {
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
    let wrong = |line| KeyFileError::Line {
        path: path.into(),
        line,
    };
    let mut lines = text.lines().zip(1..);
    if lines.next().is_none_or(|(first, _)| first != FIRST_LINE) {
        return Err(wrong(1));
    }
    let names = lines
        .next()
        .and_then(|(line, _)| line.strip_prefix("names "));
    let names = names.and_then(from_hex).ok_or_else(|| wrong(2))?;
    let key = |(line, number): (&str, usize)| {
        let (id, secret) = line.strip_prefix("key ")?.split_once(' ')?;
        let key = SealingKey {
            id: id.parse().ok()?,
            secret: from_hex(secret)?,
        };
        Some(key).filter(|_| number > 2)
    };
    let keys = lines.map(|line| key(line).ok_or_else(|| wrong(line.1)));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    KeyRing::of(names, keys).map_err(|error| keys_error(path, error))
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

    fn in_a_folder(test: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        test(&folder.path().join("keys"));
    }

    fn two_keys() -> KeyRing {
        KeyRing::new([1; 32], [(2, [2; 32]), (1, [3; 32])]).unwrap()
    }

    fn same(one: &KeyRing, other: &KeyRing) -> bool {
        *text_of(one) == *text_of(other)
    }

    #[test]
    fn what_is_written_is_read() {
        in_a_folder(|path| {
            let ring = two_keys();
            write(path, &ring).unwrap();
            assert!(same(&read(path).unwrap(), &ring));
            assert_eq!(read(path).unwrap().key_ids().count(), 2);
        });
    }

    /// R25: owner-only from the first moment, and refused where it is not.
    #[test]
    fn only_the_owner_may_read_it() {
        in_a_folder(|path| {
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
        in_a_folder(|path| {
            let ring = create(path).unwrap();
            assert!(matches!(create(path), Err(KeyFileError::Io { .. })));
            assert!(same(&read_or_create(path).unwrap(), &ring));
        });
    }

    /// Where nothing can be written, what is there is read all the same; and who reads leaves nothing
    /// behind.
    #[test]
    fn what_is_there_is_only_read() {
        in_a_folder(|path| {
            create(path).unwrap();
            let folder = path.parent().unwrap();
            let before = fs::metadata(folder).unwrap().modified().unwrap();
            read_or_create(path).unwrap();
            assert_eq!(fs::metadata(folder).unwrap().modified().unwrap(), before);
        });
    }

    #[test]
    fn a_pipe_is_not_waited_for() {
        in_a_folder(|path| {
            let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
            let pipe =
                rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0);
            pipe.unwrap();
            let error = read_or_create(path).unwrap_err();
            assert!(matches!(error, KeyFileError::NotAFile { .. }), "{error}");
        });
    }

    /// Programs that start at the same time all get the same keys.
    #[test]
    fn of_many_that_make_it_at_once_all_have_the_same() {
        for _ in 0..20 {
            in_a_folder(|path| {
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
    fn what_is_not_a_key_file_is_refused_with_its_line() {
        in_a_folder(|path| {
            let good = text_of(&two_keys());
            let cases: [(String, usize); 6] = [
                (String::new(), 1),
                ("other\n".into(), 1),
                (good.replace("names ", "name "), 2),
                (good.replacen("key 2 ", "key x ", 1), 3),
                (format!("{}\nkey 3 00", good.trim_end()), 5),
                (format!("{}\n\n", good.trim_end()), 5),
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
        in_a_folder(|path| {
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
