//! The files that a patch in Codex' form writes: it names them in lines of its own, and in nothing else that a hook is
//! told.

use crate::core::text::Text;

/// The line that begins a patch, wherever it is: a shell command may hold one, too.
const BEGIN: &str = "*** Begin Patch";
/// What is in front of a file's name.
const NAMES: &[&str] = &["*** Add File: ", "*** Update File: ", "*** Delete File: ", "*** Move to: "];

/// The files that are changed, made, removed or moved by the patches in this text.
pub(super) fn files(text: &str) -> Vec<Text> {
    let Some(at) = text.find(BEGIN) else { return Vec::new() };
    let named = |line: &str| {
        let line = line.trim_start();
        NAMES.iter().find_map(|name| line.strip_prefix(name)).map(|file| Text::from(file.trim()))
    };
    text[at..].lines().filter_map(named).filter(|file| !file.0.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_a_patch_is_named() {
        let patch = "*** Begin Patch\n*** Update File: src/a b.rs\n*** Move to: /tmp/c\n@@\n-x\n+y\n*** Add File: d\n+*** Update File: e\n*** Delete File: f \n*** End Patch";
        let named: Vec<String> = files(patch).iter().map(ToString::to_string).collect();
        // A line that is added is content, and begins with a plus.
        assert_eq!(named, ["src/a b.rs", "/tmp/c", "d", "f"]);
        assert_eq!(files(&format!("apply_patch <<'EOF'\n{patch}\nEOF")).len(), 4);
        assert_eq!(files("*** Add File: d"), []);
        assert_eq!(files("*** Begin Patch\n*** Add File:  "), []);
    }
}
