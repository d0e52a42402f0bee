//! Trees of git's, made of any names.
//!
//! Git's own tools refuse trees in which something is called `.git`, since they would check it out. Paths that hold such
//! a name go, every part of them marked, into a tree beside.

use git2::{Error, ObjectType, Odb, Oid};
use std::collections::BTreeMap;

/// What each part of a marked path begins with.
const MARK: u8 = b'_';
/// Mode of a folder in a tree.
const FOLDER: u32 = 0o040_000;

/// A tree that is being made.
#[derive(Debug, Default)]
pub(super) struct Tree {
    entries: BTreeMap<Vec<u8>, Node>,
}

#[derive(Debug)]
enum Node {
    Leaf(u32, Oid),
    Folder(Tree),
}

impl Tree {
    /// Puts an object at a path; what stood there goes.
    pub(super) fn put(&mut self, path: &[u8], mode: u32, id: Oid) {
        let mut tree = self;
        let mut parts = path.split(|b| *b == b'/').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                tree.entries.insert(part.to_vec(), Node::Leaf(mode, id));
                return;
            }
            let node = tree.entries.entry(part.to_vec()).or_insert_with(|| Node::Folder(Self::default()));
            if let Node::Leaf(..) = node {
                *node = Node::Folder(Self::default());
            }
            let Node::Folder(next) = node else { return };
            tree = next;
        }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Writes it; the trees that were written are added to `written`.
    ///
    /// # Errors
    /// The repository refuses.
    pub(super) fn write(&self, odb: &Odb<'_>, written: &mut Vec<Oid>) -> Result<Oid, Error> {
        let mut entries = Vec::new();
        for (name, node) in &self.entries {
            let (mode, id) = match node {
                Node::Leaf(mode, id) => (*mode, *id),
                Node::Folder(tree) => (FOLDER, tree.write(odb, written)?),
            };
            entries.push((name, mode, id));
        }
        // Git orders folders as if their names ended with a slash.
        entries.sort_by_cached_key(|(name, mode, _)| {
            let mut key = (*name).clone();
            key.extend((*mode == FOLDER).then_some(b'/'));
            key
        });
        let mut bytes = Vec::new();
        for (name, mode, id) in entries {
            bytes.extend_from_slice(format!("{mode:o} ").as_bytes());
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(id.as_bytes());
        }
        let id = odb.write(ObjectType::Tree, &bytes)?;
        written.push(id);
        Ok(id)
    }
}

/// Whether a path may stand in a tree as it is.
pub(super) fn is_plain(path: &[u8]) -> bool {
    path.split(|b| matches!(b, b'/' | b'\\')).all(|part| {
        // As file systems see it that ignore case, or some characters, or what a name ends with.
        let text = String::from_utf8_lossy(part).to_ascii_lowercase();
        let ignored = |c: char| {
            matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
        };
        let text: String = text.chars().filter(|c| !ignored(*c)).collect();
        let text = text.split(':').next().unwrap_or_default().trim_end_matches([' ', '.']);
        !matches!(text, ".git" | "git~1" | "")
    })
}

/// A path that may stand in any tree.
pub(super) fn marked(path: &[u8]) -> Vec<u8> {
    let mut out = vec![MARK];
    for byte in path {
        out.push(*byte);
        out.extend((*byte == b'/').then_some(MARK));
    }
    out
}

/// One part of a marked path, as it is; none for a part that is not marked, or leads elsewhere.
pub(super) fn unmarked(part: &[u8]) -> Option<&[u8]> {
    part.strip_prefix(&[MARK]).filter(|name| is_name(name))
}

/// Whether it names something in a folder.
pub(super) fn is_name(part: &[u8]) -> bool {
    !matches!(part, b"" | b"." | b"..") && !part.contains(&b'/') && !part.contains(&0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tree_is_the_one_that_git_makes() {
        let dir = tempfile::tempdir().expect("folder");
        let git = git2::Repository::init(dir.path()).expect("repository");
        let mut index = git.index().expect("index");
        let mut tree = Tree::default();
        for name in ["a.b", "a/x", "a-b", "a0", "z/y/x", "z/y/w"] {
            let path = dir.path().join(name);
            std::fs::create_dir_all(path.parent().expect("parent")).expect("folders");
            std::fs::write(&path, name).expect("file");
            index.add_path(std::path::Path::new(name)).expect("added");
            tree.put(name.as_bytes(), 0o100_644, git.blob(name.as_bytes()).expect("blob"));
        }
        let mut written = Vec::new();
        let id = tree.write(&git.odb().expect("odb"), &mut written).expect("written");
        assert_eq!(id, index.write_tree().expect("tree"));
        assert_eq!(written.len(), 4);
    }

    #[test]
    fn names_that_git_refuses_are_not_plain() {
        for bad in [
            &b".git"[..],
            b"a/.git/config",
            b".GIT",
            b"a/.Git",
            b"git~1",
            b"GIT~1/x",
            b".git.",
            b".git ",
            b".git::$x",
            b"a\\.git",
            ".g\u{200c}it".as_bytes(),
            b".git . .",
        ] {
            assert!(!is_plain(bad), "{:?}", String::from_utf8_lossy(bad));
        }
        for good in [&b"git"[..], b".gitignore", b"a/b.git", b".gitx/y", b"\xff\xfe", b"a b", b"git~2"] {
            assert!(is_plain(good), "{:?}", String::from_utf8_lossy(good));
        }
    }

    #[test]
    fn only_marked_names_come_back() {
        assert_eq!(marked(b"a/.git/x"), b"_a/_.git/_x");
        assert_eq!(unmarked(b"_.git"), Some(&b".git"[..]));
        for bad in [&b"x"[..], b"", b"_", b"_.", b"_..", b"_a/b", b"_a\0"] {
            assert_eq!(unmarked(bad), None);
        }
    }

    proptest! {
        #[test]
        fn marked_paths_are_plain_and_come_back(parts in prop::collection::vec("[^/\\\\\0]{1,8}", 1..4)) {
            let path = parts.join("/");
            prop_assume!(parts.iter().all(|p| is_name(p.as_bytes())));
            let marked = marked(path.as_bytes());
            prop_assert!(is_plain(&marked));
            let back: Option<Vec<&[u8]>> = marked.split(|b| *b == b'/').map(unmarked).collect();
            prop_assert_eq!(back.map(|parts| parts.join(&b'/')), Some(path.into_bytes()));
        }
    }
}
