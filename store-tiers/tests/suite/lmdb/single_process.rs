//! The contract of [`Tier`] within one process.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use store_core::Usage;
use store_tiers::lmdb::{LmdbError, LmdbSettings, LmdbTier};
use store_tiers::{Sealed, Taken, Tier};

use super::fixtures::{NOW, at, reusable, server, single, take_all, temporary};

#[test]
fn a_single_use_record_is_taken_once() {
    let mut t = temporary(LmdbSettings::default());
    let record = single(&server(1), 10, "ticket");
    t.tier.put(&[record], NOW).unwrap();
    assert_eq!(take_all(&mut t.tier, &server(2)), Vec::<Vec<u8>>::new());
    assert_eq!(take_all(&mut t.tier, &server(1)), [b"ticket"]);
    assert_eq!(t.tier.take(&server(1), 1, NOW).unwrap(), Taken::default());
}

#[test]
fn the_latest_expiry_is_taken_first_then_the_newest() {
    let mut t = temporary(LmdbSettings::default());
    let of = |expires, name: &str| single(&server(1), expires, name);
    t.tier
        .put(&[of(20, "c"), of(10, "d"), of(30, "a")], NOW)
        .unwrap();
    t.tier.put(&[of(20, "b")], NOW).unwrap();
    let first = t.tier.take(&server(1), 1, NOW).unwrap();
    assert_eq!(first.single_use, [b"a"]);
    let rest = t.tier.take(&server(1), 2, NOW).unwrap();
    assert_eq!(rest.single_use, [b"b", b"c"]);
    assert_eq!(take_all(&mut t.tier, &server(1)), [b"d"]);
}

#[test]
fn a_reusable_record_is_copied_and_replaced() {
    let mut t = temporary(LmdbSettings::default());
    let copy = |tier: &mut LmdbTier| tier.take(&server(1), 0, NOW).unwrap().reusable;
    t.tier.put(&[reusable(&server(1), 10, "old")], NOW).unwrap();
    assert_eq!(copy(&mut t.tier).unwrap(), b"old");
    t.tier.put(&[reusable(&server(1), 20, "new")], NOW).unwrap();
    for _ in 0..2 {
        assert_eq!(copy(&mut t.tier).unwrap(), b"new");
    }
    // The old record's expiry does not remove the new one.
    while t.tier.sweep(at(15)).unwrap() {}
    assert_eq!(copy(&mut t.tier).unwrap(), b"new");
}

#[test]
fn a_server_keeps_the_latest_expiries_up_to_its_cap() {
    let mut t = temporary(LmdbSettings::default().with_records_per_server(3));
    for expires in [5, 1, 4, 2, 3] {
        let record = single(&server(1), expires, expires.to_string());
        t.tier
            .put(&[record, single(&server(2), 9, "other")], NOW)
            .unwrap();
    }
    assert_eq!(take_all(&mut t.tier, &server(1)), [b"5", b"4", b"3"]);
    assert_eq!(take_all(&mut t.tier, &server(2)).len(), 3);
}

/// R11, R19.
#[test]
fn expired_records_are_not_taken_and_are_swept_in_steps() {
    let mut t = temporary(LmdbSettings::default());
    for number in 0..100 {
        let of = |expires| single(&server(number), expires, "ticket");
        let records = [of(10), of(30), reusable(&server(number), 10, "session")];
        t.tier.put(&records, NOW).unwrap();
    }
    let taken = t.tier.take(&server(0), 9, at(10)).unwrap();
    assert_eq!((taken.single_use.len(), taken.reusable), (1, None));
    let taken = t.tier.take(&server(1), 9, at(30)).unwrap();
    assert_eq!(taken, Taken::default());
    assert!(!t.tier.sweep(at(9)).unwrap(), "nothing has expired yet");
    let mut steps = 1;
    while t.tier.sweep(at(10)).unwrap() {
        steps += 1;
    }
    assert!(steps > 2, "200 records in {steps} steps");
    // At NOW, none has expired: those that are missing were removed.
    let left = t.tier.load(1000, NOW).unwrap();
    assert_eq!(left.len(), 99);
    assert!(left.iter().all(|record| record.expires == at(30)));
}

#[test]
fn an_expired_record_is_not_put() {
    let mut t = temporary(LmdbSettings::default());
    t.tier
        .put(&[single(&server(1), 10, "late")], at(10))
        .unwrap();
    assert_eq!(take_all(&mut t.tier, &server(1)), Vec::<Vec<u8>>::new());
}

#[test]
fn remove_affects_one_server_and_clear_all() {
    let mut t = temporary(LmdbSettings::default());
    for number in 1..4 {
        for _ in 0..50 {
            t.tier
                .put(&[single(&server(number), 10, "ticket")], NOW)
                .unwrap();
        }
        t.tier
            .put(&[reusable(&server(number), 10, "session")], NOW)
            .unwrap();
    }
    t.tier.remove(&server(1)).unwrap();
    assert_eq!(t.tier.take(&server(1), 99, NOW).unwrap(), Taken::default());
    let other = t.tier.take(&server(2), 99, NOW).unwrap();
    assert_eq!(
        (other.single_use.len(), other.reusable.is_some()),
        (50, true)
    );
    t.tier.clear().unwrap();
    assert_eq!(t.tier.take(&server(3), 99, NOW).unwrap(), Taken::default());
    assert!(t.tier.load(99, NOW).unwrap().is_empty());
    assert!(!t.tier.sweep(at(99)).unwrap(), "the index is empty, too");
}

#[test]
fn load_returns_the_latest_expiries() {
    let mut t = temporary(LmdbSettings::default());
    let mut records: Vec<Sealed> = (0..100)
        .map(|n| single(&server(n), n as u64, "t"))
        .collect();
    records.push(reusable(&server(200), 300, "session"));
    t.tier.put(&records, NOW).unwrap();
    let loaded = t.tier.load(50, at(40)).unwrap();
    assert_eq!(loaded.len(), 50);
    assert_eq!(loaded[0], records[100]);
    assert!(loaded[1..].iter().rev().eq(&records[51..100]));
    // The reusable one again, and the single-use ones that are left and have not expired.
    let loaded = t.tier.load(1000, at(40)).unwrap();
    assert_eq!(loaded.len(), 1 + 10);
    assert_eq!(loaded[0].usage, Usage::Reusable);
    let left = t.tier.load(1000, at(40)).unwrap();
    assert_eq!(left, [records[100].clone()]);
}

#[test]
fn records_survive_reopening() {
    let t = temporary(LmdbSettings::default());
    let (mut tier, dir) = (t.tier, t.folder.path().join("tier"));
    let both = [
        single(&server(1), 10, "ticket"),
        reusable(&server(1), 10, "session"),
    ];
    tier.put(&both, NOW).unwrap();
    drop(tier);
    let mut tier = LmdbTier::open(&dir, LmdbSettings::default()).unwrap();
    let taken = tier.take(&server(1), 9, NOW).unwrap();
    assert_eq!(taken.single_use, [b"ticket"]);
    assert_eq!(taken.reusable.unwrap(), b"session");
    drop(tier);
    let mut tier = LmdbTier::open(&dir, LmdbSettings::default()).unwrap();
    assert_eq!(take_all(&mut tier, &server(1)), Vec::<Vec<u8>>::new());
}

#[test]
fn tiers_of_one_process_share_a_directory() {
    let t = temporary(LmdbSettings::default());
    let (mut one, dir) = (t.tier, t.folder.path().join("tier"));
    let link = t.folder.path().join("link");
    symlink(&dir, &link).unwrap();
    let mut two = LmdbTier::open(&dir, LmdbSettings::default().with_bytes(1 << 20)).unwrap();
    let mut three = LmdbTier::open(&link, LmdbSettings::default()).unwrap();
    one.put(&[single(&server(1), 10, "ticket")], NOW).unwrap();
    drop(one);
    assert_eq!(take_all(&mut three, &server(1)), [b"ticket"]);
    drop(three);
    assert_eq!(take_all(&mut two, &server(1)), Vec::<Vec<u8>>::new());
}

/// No thread opens the file while another closes it, which LMDB does not allow.
#[test]
fn threads_open_and_close_concurrently() {
    let t = temporary(LmdbSettings::default());
    let dir = t.folder.path().join("tier");
    drop(t.tier);
    std::thread::scope(|scope| {
        for number in 0..4 {
            let dir = &dir;
            scope.spawn(move || {
                for _ in 0..50 {
                    let mut tier = LmdbTier::open(dir, LmdbSettings::default()).unwrap();
                    tier.put(&[single(&server(number), 10, "ticket")], NOW)
                        .unwrap();
                    assert_eq!(take_all(&mut tier, &server(number)).len(), 1);
                }
            });
        }
    });
}

/// R16: with records of any size, the file does not grow and no put fails.
#[test]
fn a_flood_stays_within_the_bound() {
    const BOUND: usize = 1 << 20;
    let mut t = temporary(LmdbSettings::default().with_bytes(BOUND));
    let sizes = [100, 1_200, 48 << 10, 1, 5_000, 0, 20_000];
    for round in 0..3_000_usize {
        let size = sizes[round % sizes.len()];
        let lives = 1000 + round as u64;
        let record = single(&server(round % 97), lives, vec![7; size]);
        t.tier.put(&[record], NOW).unwrap();
        if round % 5 == 0 {
            let record = reusable(&server(round % 89), lives, vec![8; size]);
            t.tier.put(&[record], NOW).unwrap();
        }
    }
    let last = t.tier.load(1, NOW).unwrap();
    assert_eq!(
        last[0].expires,
        at(1000 + 2999),
        "the record that expires last is kept"
    );
    let env_dir = fs::read_dir(t.folder.path().join("tier"))
        .unwrap()
        .next()
        .unwrap();
    let file = fs::metadata(env_dir.unwrap().path().join("data.mdb")).unwrap();
    assert!(file.len() <= BOUND as u64, "{} bytes", file.len());
    let kept: usize = t
        .tier
        .load(10_000, NOW)
        .unwrap()
        .iter()
        .map(|r| r.bytes.len())
        .sum();
    assert!(kept > BOUND / 4, "only {kept} bytes are left of the flood");
}

/// Neither a batch nor a record larger than the file is an error.
#[test]
fn records_that_do_not_fit_are_lost() {
    let mut t = temporary(LmdbSettings::default().with_bytes(1 << 20));
    let batch: Vec<Sealed> = (0..100)
        .map(|n| single(&server(n), 10 + n as u64, vec![7; 48 << 10]))
        .collect();
    t.tier.put(&batch, NOW).unwrap();
    let huge = single(&server(500), 10, vec![7; 4 << 20]);
    t.tier.put(&[huge], NOW).unwrap();
    assert_eq!(take_all(&mut t.tier, &server(500)), Vec::<Vec<u8>>::new());
    assert_eq!(take_all(&mut t.tier, &server(99)).len(), 1);
}

/// R16: one server cannot evict all others.
#[test]
fn one_server_fills_a_quarter_at_most() {
    let mut t = temporary(LmdbSettings::default().with_bytes(1 << 20));
    t.tier
        .put(&[single(&server(1), 10, "ticket")], NOW)
        .unwrap();
    for _ in 0..200 {
        let record = single(&server(2), 1000, vec![7; 48 << 10]);
        t.tier.put(&[record], NOW).unwrap();
    }
    assert_eq!(take_all(&mut t.tier, &server(1)), [b"ticket"]);
}

/// R25: a directory that other users can access is refused.
#[test]
fn only_the_owner_has_access() {
    let t = temporary(LmdbSettings::default());
    let dir = t.folder.path().join("tier");
    assert_eq!(fs::metadata(&dir).unwrap().mode() & 0o777, 0o700);
    drop(t.tier);
    for mode in [0o750, 0o705, 0o770, 0o711, 0o777] {
        fs::set_permissions(&dir, Permissions::from_mode(mode)).unwrap();
        let error = LmdbTier::open(&dir, LmdbSettings::default()).unwrap_err();
        assert!(
            matches!(error, LmdbError::NotPrivate { .. }),
            "{mode:o}: {error}"
        );
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }
    fs::set_permissions(&dir, Permissions::from_mode(0o700)).unwrap();
    LmdbTier::open(&dir, LmdbSettings::default()).unwrap();
}

#[test]
fn a_path_that_is_no_directory_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = LmdbTier::open(&file, LmdbSettings::default()).unwrap_err();
    assert!(matches!(error, LmdbError::NotADirectory { .. }), "{error}");
    let nowhere = folder.path().join("no/tier");
    let error = LmdbTier::open(&nowhere, LmdbSettings::default()).unwrap_err();
    assert!(matches!(error, LmdbError::Io { .. }), "{error}");
}
