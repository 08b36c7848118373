//! A page of the guide shows its programs as they are: each is compiled, and run by the tests.
//!
//! A program follows a comment with its path. `UPDATE_GUIDE=1 cargo test -p examples guide::pages`
//! copies the programs into the pages.

use std::fs;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- ";
const FENCE: &str = "```rust,ignore\n";
const END: &str = "```\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The page with its programs as they are now, and how many it has. Panics at code that is no program:
/// the documentation's tests do not compile it.
fn with_programs(page: &str) -> (String, usize) {
    let (mut out, mut rest, mut count) = (String::new(), page, 0);
    while let Some(at) = rest.find(FENCE) {
        let (before, code) = rest.split_at(at);
        let (_, comment) = before.rsplit_once(BEGIN).expect("a path before the code");
        let path = comment
            .strip_suffix(" -->\n")
            .expect("a path right before the code");
        let end = code.find(&format!("\n{END}")).expect("an end of the code") + 1;
        out.extend([before, FENCE, &read(&root().join(path))]);
        (rest, count) = (&code[end..], count + 1);
    }
    (out + rest, count)
}

#[test]
fn the_programs_of_a_page_are_those_that_the_tests_run() {
    let pages = fs::read_dir(root().join("docs/guide")).expect("the guide");
    let (mut programs, mut old) = (0, Vec::new());
    for page in pages {
        let path = page.expect("a page").path();
        let page = read(&path);
        let (fresh, count) = with_programs(&page);
        programs += count;
        if page != fresh {
            if std::env::var_os("UPDATE_GUIDE").is_some() {
                fs::write(&path, fresh).expect("a page that can be written");
            }
            old.push(path);
        }
    }
    assert!(programs >= 6, "{programs}");
    assert!(
        old.is_empty(),
        "set UPDATE_GUIDE=1 to copy the programs into {old:?}"
    );
}
