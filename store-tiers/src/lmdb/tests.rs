//! Boots, and files in the directory.

use std::fs;
use std::path::{Path, PathBuf};

use store_core::{Timestamp, Usage};

use super::directory::BootId;
use super::*;
use crate::KeyRing;

const NOW: Timestamp = Timestamp::EPOCH;

fn server() -> ServerId {
    let ring = KeyRing::new([1; 32], [(1, [2; 32])]).unwrap();
    let domain = store_core::SecurityDomain::builder("test").finish();
    ring.server_id(store_core::KeyRef::new(&domain, "example.com"))
}

fn record() -> Sealed {
    Sealed {
        server: server(),
        usage: Usage::SingleUse,
        expires: Timestamp::NEVER,
        bytes: b"ticket".to_vec(),
    }
}

fn open(dir: &Path, boot: &BootId) -> LmdbTier {
    LmdbTier::open_in_boot(dir, LmdbSettings::default(), boot).unwrap()
}

fn put(dir: &Path, boot: &BootId) {
    open(dir, boot).put(&[record()], NOW).unwrap();
}

fn has_one(dir: &Path, boot: &BootId) -> bool {
    let taken = open(dir, boot).take(&server(), 9, NOW).unwrap();
    !taken.single_use.is_empty()
}

/// Calls `test` with the path of a directory that does not exist yet.
fn with_dir(test: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    test(&folder.path().join("tier"));
}

fn file_of(dir: &Path) -> PathBuf {
    let entry = fs::read_dir(dir).unwrap().next().unwrap().unwrap();
    entry.path().join("data.mdb")
}

/// R7: a record does not come back after the machine stopped.
#[test]
fn another_boot_starts_empty_and_removes_the_old_file() {
    with_dir(|dir| {
        let (one, two) = (BootId::new("one"), BootId::new("two"));
        put(dir, &one);
        assert!(has_one(dir, &one));
        put(dir, &one);
        assert!(!has_one(dir, &two));
        assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
        assert!(!has_one(dir, &one), "the old boot's file is gone");
    });
}

#[test]
fn without_a_boot_id_the_file_survives_boots() {
    with_dir(|dir| {
        put(dir, &BootId::unknown());
        assert!(!has_one(dir, &BootId::new("one")));
        assert!(has_one(dir, &BootId::unknown()));
    });
}

#[test]
fn only_linux_has_a_boot_id() {
    let boot = BootId::current();
    assert_eq!(boot, BootId::current());
    assert_eq!(boot == BootId::unknown(), !cfg!(target_os = "linux"));
}

#[test]
fn files_of_other_layouts_are_not_touched() {
    with_dir(|dir| {
        let boot = BootId::new("one");
        put(dir, &boot);
        let others = [
            "2-0123456789abcdef",
            "12-0123456789abcdef",
            "1-notes",
            "2-damaged-1",
        ];
        for other in others {
            fs::create_dir(dir.join(other)).unwrap();
            fs::write(dir.join(other).join("data.mdb"), other).unwrap();
        }
        assert!(has_one(dir, &boot));
        assert!(!has_one(dir, &BootId::new("two")));
        for other in others {
            let kept = fs::read_to_string(dir.join(other).join("data.mdb")).unwrap();
            assert_eq!(kept, other);
        }
    });
}

/// Damages the bytes of a file.
type Damage = Box<dyn Fn(&mut Vec<u8>)>;

#[test]
fn a_damaged_file_is_replaced() {
    let boot = BootId::new("one");
    let zeros_after = |keep: usize| move |bytes: &mut Vec<u8>| bytes[keep..].fill(0);
    let damages: [(&str, Damage); 6] = [
        (
            "text",
            Box::new(|bytes| *bytes = b"no database\n".repeat(10_000)),
        ),
        ("short", Box::new(|bytes| bytes.truncate(100))),
        ("empty", Box::new(Vec::clear)),
        ("zeros", Box::new(zeros_after(0))),
        ("no tables", Box::new(zeros_after(2 * 4096))),
        (
            "another version",
            Box::new(|bytes| {
                for page in [0, 4096] {
                    bytes[page + 16 + 4] ^= 0xff; // after the page's header and LMDB's magic number
                }
            }),
        ),
    ];
    for (name, damage) in damages {
        with_dir(|dir| {
            put(dir, &boot);
            let file = file_of(dir);
            let mut bytes = fs::read(&file).unwrap();
            damage(&mut bytes);
            fs::write(&file, bytes).unwrap();
            assert!(!has_one(dir, &boot), "{name}");
            put(dir, &boot);
            assert!(has_one(dir, &boot), "{name}");
            assert_eq!(fs::read_dir(dir).unwrap().count(), 1, "{name}");
        });
    }
}

/// The call that finds the damage fails, and the next one has a new file.
#[test]
fn damage_found_while_open_is_replaced() {
    with_dir(|dir| {
        let boot = BootId::new("one");
        let mut tier = open(dir, &boot);
        tier.put(&[record()], NOW).unwrap();
        let file = fs::File::options().write(true).open(file_of(dir)).unwrap();
        let pages = 2 * 4096;
        std::os::unix::fs::FileExt::write_all_at(&file, &vec![0; 64 * 4096], pages).unwrap();
        assert!(matches!(
            tier.take(&server(), 1, NOW),
            Err(TierError::NotApplied(_))
        ));
        tier.put(&[record()], NOW).unwrap();
        assert_eq!(tier.take(&server(), 1, NOW).unwrap().single_use.len(), 1);
    });
}

#[test]
fn a_garbage_key_is_skipped_and_removed() {
    with_dir(|dir| {
        let boot = BootId::new("one");
        let mut tier = open(dir, &boot);
        tier.put(&[record()], NOW).unwrap();
        tier.env
            .with(|store| store.put_garbage(server().as_bytes()))
            .unwrap();
        assert_eq!(tier.take(&server(), 9, NOW).unwrap().single_use.len(), 1);
        assert_eq!(tier.take(&server(), 9, NOW).unwrap(), Taken::default());
        while tier.sweep(NOW).unwrap() {}
        assert!(tier.load(9, NOW).unwrap().is_empty());
    });
}

#[test]
fn errors_are_one_line_and_say_what_to_do() {
    let path = PathBuf::from("/dir");
    let errors = [
        (
            LmdbError::NotADirectory { path: path.clone() },
            "give a directory",
        ),
        (
            LmdbError::NotPrivate {
                path: path.clone(),
                mode: 0o755,
            },
            "(mode 755): chmod 700",
        ),
        (
            LmdbError::NotOwn {
                path: path.clone(),
                owner: 7,
            },
            "user 7",
        ),
        (LmdbError::Forked { path: path.clone() }, "after the fork"),
        (
            LmdbError::Lmdb {
                path,
                reason: "reason".into(),
            },
            "reason",
        ),
    ];
    for (error, says) in errors {
        let text = error.to_string();
        assert!(text.starts_with("/dir: ") && text.contains(says), "{text}");
        assert!(!text.contains('\n'), "{text}");
    }
}
