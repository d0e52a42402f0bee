//! Manual pages and completions are generated, and are kept beside the code for packagers.

use crate::support::Home;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn packaging(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

fn files(folder: &Path) -> BTreeMap<String, String> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let read = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().expect("UTF-8");
        (name, std::fs::read_to_string(entry.path()).expect("readable"))
    };
    entries.map(|e| read(e.expect("entry"))).collect()
}

fn same(generated: &BTreeMap<String, String>, kept: &BTreeMap<String, String>, how: &str) {
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(kept), names(generated), "other files: {how}");
    for (name, text) in generated {
        assert!(kept.get(name) == Some(text), "{name} is not what would be generated: {how}");
    }
}

#[test]
fn manual_pages_are_as_kept() {
    let home = Home::new();
    let folder = home.path().join("man");
    std::fs::create_dir(&folder).expect("folder");
    home.abide([std::ffi::OsStr::new("man"), "--dir".as_ref(), folder.as_os_str()]).ok();
    same(&files(&folder), &files(&packaging("man")), "cargo run -- man --dir packaging/man");
}

#[test]
fn completions_are_as_kept() {
    let home = Home::new();
    let shells = [("bash", "abide.bash"), ("zsh", "_abide"), ("fish", "abide.fish")];
    let script =
        |(shell, file): (&str, &str)| (file.to_owned(), home.abide(["completions", shell]).ok().to_owned());
    same(
        &shells.map(script).into_iter().collect(),
        &files(&packaging("completions")),
        "cargo run -- completions SHELL > packaging/completions/FILE",
    );
}
