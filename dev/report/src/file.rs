//! Files that are whole, or as they were.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes a file; a reader sees the old one or the new one, never a part, and nothing is left behind
/// where that fails. A link stays, and what it names is written. What is no file, as a terminal or a
/// pipe, is written to.
pub(crate) fn write(file: &Path, text: &str) -> io::Result<()> {
    let known = fs::metadata(file).ok();
    let is_link = fs::symlink_metadata(file).is_ok_and(|what| what.is_symlink());
    let is_other = known.as_ref().is_some_and(|what| !what.is_file());
    // A link to nothing; a stream of the process, even where it is a file.
    if is_other || (is_link && known.is_none()) || file.starts_with("/dev") {
        return fs::write(file, text);
    }
    let (file, permissions) = match known {
        Some(what) => (fs::canonicalize(file)?, what.permissions()),
        None => (file.to_owned(), Permissions::from_mode(0o666)),
    };
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut whole = tempfile::Builder::new()
        .prefix(".report-")
        .suffix(".part")
        .permissions(permissions)
        .tempfile_in(directory)?;
    whole.write_all(text.as_bytes())?;
    whole.persist(&file).map_err(|failed| failed.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let directory = tempfile::tempdir().unwrap();
        let [plain, file, link, other] =
            ["plain", "file", "link", "other"].map(|name| directory.path().join(name));
        fs::write(&plain, "").unwrap();
        symlink("file", &link).unwrap();
        for text in ["to nothing", "to a file"] {
            write(&link, text).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), text);
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        write(&other, "new").unwrap();
        let mode = |file| fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode(&other), mode(&plain));
        assert_eq!(names(directory.path()), ["file", "link", "other", "plain"]);
    }

    #[test]
    fn nothing_stays_behind() {
        let directory = tempfile::tempdir().unwrap();
        let taken = directory.path().join("taken");
        fs::create_dir(&taken).unwrap();
        write(&taken, "text").unwrap_err();
        write(&directory.path().join("none/file"), "text").unwrap_err();
        assert_eq!(names(directory.path()), ["taken"]);
    }

    #[test]
    fn a_device_is_written_to() {
        use std::os::unix::fs::FileTypeExt;
        write(Path::new("/dev/null"), "text").unwrap();
        let device = fs::metadata("/dev/null").unwrap();
        assert!(device.file_type().is_char_device());
    }
}
