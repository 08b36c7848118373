//! Atomic writing of files.

use std::fs::{self, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Writes a file atomically: readers see the old contents or the new ones, and an error leaves no
/// temporary file. Symbolic links are followed. Devices and pipes are written to directly.
pub(crate) fn write(file: &Path, text: &str) -> io::Result<()> {
    let metadata = fs::metadata(file).ok();
    let is_link = fs::symlink_metadata(file).is_ok_and(|metadata| metadata.is_symlink());
    let is_other = metadata
        .as_ref()
        .is_some_and(|metadata| !metadata.is_file());
    // A dangling link; or a stream of the process, which may be redirected to a file.
    if is_other || (is_link && metadata.is_none()) || file.starts_with("/dev") {
        return fs::write(file, text);
    }
    let (file, permissions) = match metadata {
        Some(metadata) => (fs::canonicalize(file)?, metadata.permissions()),
        None => (file.to_owned(), Permissions::from_mode(0o666)),
    };
    let directory = match file.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let mut temporary = tempfile::Builder::new()
        .prefix(".report-")
        .suffix(".part")
        .permissions(permissions)
        .tempfile_in(directory)?;
    temporary.write_all(text.as_bytes())?;
    temporary.persist(&file).map_err(|error| error.error)?;
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
    fn a_file_is_replaced_and_links_are_kept() {
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
    fn an_error_leaves_no_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let taken = directory.path().join("taken");
        fs::create_dir(&taken).unwrap();
        write(&taken, "text").unwrap_err();
        write(&directory.path().join("none/file"), "text").unwrap_err();
        assert_eq!(names(directory.path()), ["taken"]);
    }

    #[test]
    fn devices_are_written_to_directly() {
        use std::os::unix::fs::FileTypeExt;
        write(Path::new("/dev/null"), "text").unwrap();
        let device = fs::metadata("/dev/null").unwrap();
        assert!(device.file_type().is_char_device());
    }
}
