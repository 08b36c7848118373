//! What depends on the boot and on the files in the directory.

use std::fs;
use std::path::{Path, PathBuf};

use store_core::{Timestamp, Usage};

use super::place::BootMark;
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

fn open(dir: &Path, boot: &BootMark) -> LmdbTier {
    LmdbTier::open_in_boot(dir, LmdbSettings::default(), boot).unwrap()
}

fn put(dir: &Path, boot: &BootMark) {
    open(dir, boot).put(&[record()], NOW).unwrap();
}

fn has_one(dir: &Path, boot: &BootMark) -> bool {
    let taken = open(dir, boot).take(&server(), 9, NOW).unwrap();
    !taken.single_use.is_empty()
}

/// Where a place can be made.
fn in_a_place(test: impl FnOnce(&Path)) {
    let folder = tempfile::tempdir().unwrap();
    test(&folder.path().join("place"));
}

fn file_of(dir: &Path) -> PathBuf {
    let entry = fs::read_dir(dir).unwrap().next().unwrap().unwrap();
    entry.path().join("data.mdb")
}

/// R7: what was kept before the machine stopped does not come back.
#[test]
fn another_boot_starts_empty_and_removes_the_old_file() {
    in_a_place(|dir| {
        let (one, two) = (BootMark::of("one"), BootMark::of("two"));
        put(dir, &one);
        assert!(has_one(dir, &one));
        put(dir, &one);
        assert!(!has_one(dir, &two));
        assert_eq!(fs::read_dir(dir).unwrap().count(), 1);
        assert!(!has_one(dir, &one), "the old boot's file is gone");
    });
}

#[test]
fn without_a_boot_mark_the_file_lasts() {
    in_a_place(|dir| {
        put(dir, &BootMark::none());
        assert!(!has_one(dir, &BootMark::of("one")));
        assert!(has_one(dir, &BootMark::none()));
    });
}

#[test]
fn this_boot_has_a_mark_on_linux() {
    let mark = BootMark::read();
    assert_eq!(mark, BootMark::read());
    assert_eq!(mark == BootMark::none(), !cfg!(target_os = "linux"));
}

/// Two versions of the layout live side by side.
#[test]
fn what_is_not_of_this_layout_is_left_alone() {
    in_a_place(|dir| {
        let boot = BootMark::of("one");
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
        assert!(!has_one(dir, &BootMark::of("two")));
        for other in others {
            let kept = fs::read_to_string(dir.join(other).join("data.mdb")).unwrap();
            assert_eq!(kept, other);
        }
    });
}

/// What is done to the bytes of a file.
type Damage = Box<dyn Fn(&mut Vec<u8>)>;

/// Whatever is in the file, it opens, and works.
#[test]
fn a_damaged_file_is_replaced() {
    let boot = BootMark::of("one");
    let zeros_behind = |keep: usize| move |bytes: &mut Vec<u8>| bytes[keep..].fill(0);
    let damages: [(&str, Damage); 6] = [
        (
            "text",
            Box::new(|bytes| *bytes = b"no database\n".repeat(10_000)),
        ),
        ("short", Box::new(|bytes| bytes.truncate(100))),
        ("empty", Box::new(Vec::clear)),
        ("zeros", Box::new(zeros_behind(0))),
        ("no tables", Box::new(zeros_behind(2 * 4096))),
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
        in_a_place(|dir| {
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

/// Damage that is found while the file is open: calls fail until it is replaced, which is at once.
#[test]
fn damage_found_at_work_is_replaced_too() {
    in_a_place(|dir| {
        let boot = BootMark::of("one");
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
    in_a_place(|dir| {
        let boot = BootMark::of("one");
        let mut tier = open(dir, &boot);
        tier.put(&[record()], NOW).unwrap();
        tier.share
            .with(|work| work.put_garbage(server().as_bytes()))
            .unwrap();
        assert_eq!(tier.take(&server(), 9, NOW).unwrap().single_use.len(), 1);
        assert_eq!(tier.take(&server(), 9, NOW).unwrap(), Taken::default());
        while tier.sweep(NOW).unwrap() {}
        assert!(tier.load(9, NOW).unwrap().is_empty());
    });
}

#[test]
fn errors_are_one_line_that_says_what_to_do() {
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
