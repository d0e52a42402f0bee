//! The rules of the source tree that no compiler knows. The module table of `src/lib.rs` is the architecture; this
//! is what makes it true.

use crate::support::source;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The modules that end up in a host, which lives for weeks and must stay small.
const IN_THE_HOST: &[&str] =
    &["host", "paths", "sys", "wire::codec", "wire::frame", "wire::host", "wire::order", "wire::exit"];

/// What these may have from crates.io: the first part of `[dependencies]`, and what leaves nothing in a program.
const ONLY_AT_COMPILE_TIME: &[&str] = &["thiserror"];

/// Lines of a file without its tests, at most.
const LINES: usize = 500;

/// Files that may be longer, and why.
const LONGER: &[(&str, &str)] =
    &[("src/wire/host.rs", "one protocol: each message beside the bytes that it is written and read as")];

/// Catch-all names, which always win.
const BANNED_NAMES: &[&str] = &["common", "helper", "helpers", "misc", "util", "utils"];

/// All that the top level may hold, beside dot files.
const TOP: &[&str] = &[
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "launchd",
    "packaging",
    "proptest-regressions",
    "src",
    "systemd",
    "target",
    "tests",
];

/// And the dot files.
const TOP_DOTS: &[&str] = &[".ci", ".clippy.toml", ".git", ".gitattributes", ".gitignore", ".rustfmt.toml"];

/// A source file.
struct File {
    /// Below the top level, with `/`.
    name: String,
    /// As written.
    text: String,
    /// Without comments and literals, line for line.
    code: String,
}

impl File {
    /// `core::fleet` for `src/core/fleet.rs`.
    fn module(&self) -> String {
        let path = self.name.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        path.replace('/', "::")
    }

    /// Where a word stands alone in the code: line numbers from 1.
    fn lines_with(&self, word: &str) -> Vec<usize> {
        let whole = |line: &str| {
            line.match_indices(word).any(|(at, _)| {
                let ident = |c: char| c.is_alphanumeric() || c == '_';
                !line[..at].ends_with(ident) && !line[at + word.len()..].starts_with(ident)
            })
        };
        (1..).zip(self.code.lines()).filter(|(_, line)| whole(line)).map(|(n, _)| n).collect()
    }
}

/// Every Rust file below this folder of the source tree.
fn files(folder: &str) -> Vec<File> {
    fn walk(folder: &Path, into: &mut Vec<PathBuf>) {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        for entry in entries {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    walk(&path, into);
                }
            } else if path.extension().is_some_and(|e| e == "rs") {
                into.push(path);
            }
        }
    }
    let (root, mut paths) = (source(), Vec::new());
    walk(&root.join(folder), &mut paths);
    paths.sort();
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let name = path.strip_prefix(&root).expect("below").to_str().expect("UTF-8").to_owned();
        File { name, code: code_of(&text), text }
    };
    paths.into_iter().map(read).collect()
}

/// The text with comments and literals blanked out, so that words in them are no code; lines stay lines.
fn code_of(text: &str) -> String {
    let (chars, mut code, mut i) = (text.chars().collect::<Vec<_>>(), String::new(), 0);
    let blank = |code: &mut String, part: &[char]| {
        code.extend(part.iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
    };
    while i < chars.len() {
        let end = match chars[i] {
            '/' if chars[i..].starts_with(&['/', '/']) => line_end(&chars, i),
            '/' if chars[i..].starts_with(&['/', '*']) => comment_end(&chars, i),
            'r' if !ends_in_identifier(&code) => raw_string_end(&chars, i).unwrap_or(i),
            '"' => string_end(&chars, i, '"'),
            '\'' if chars.get(i + 1) == Some(&'\\') => string_end(&chars, i, '\''),
            '\'' if chars.get(i + 2) == Some(&'\'') => i + 3,
            _ => i,
        };
        if end == i {
            code.push(chars[i]);
            i += 1;
        } else {
            blank(&mut code, &chars[i..end]);
            i = end;
        }
    }
    code
}

fn ends_in_identifier(code: &str) -> bool {
    // The `b` and `c` of `br"…"` and `cr"…"` belong to the literal.
    code.ends_with(|c: char| (c.is_alphanumeric() || c == '_') && c != 'b' && c != 'c')
}

fn line_end(chars: &[char], from: usize) -> usize {
    chars[from..].iter().position(|c| *c == '\n').map_or(chars.len(), |n| from + n)
}

fn comment_end(chars: &[char], from: usize) -> usize {
    let (mut depth, mut i) = (0, from);
    while i < chars.len() {
        match &chars[i..chars.len().min(i + 2)] {
            ['/', '*'] => (depth, i) = (depth + 1, i + 2),
            ['*', '/'] => (depth, i) = (depth - 1, i + 2),
            _ => i += 1,
        }
        if depth == 0 {
            break;
        }
    }
    i
}

fn string_end(chars: &[char], from: usize, quote: char) -> usize {
    let mut i = from + 1;
    while i < chars.len() && chars[i] != quote {
        i += if chars[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(chars.len())
}

fn raw_string_end(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(from + 1 + hashes) != Some(&'"') {
        return None;
    }
    let mut close = vec!['"'];
    close.extend(std::iter::repeat_n('#', hashes));
    let body = from + hashes + 2;
    let at = chars[body..].windows(close.len()).position(|w| w == close)?;
    Some(body + at + close.len())
}

#[test]
fn words_in_comments_and_literals_are_no_code() {
    let text =
        "a /* unsafe /* x */ y */ b // unsafe\n'\"' \"unsafe \\\" unsafe\" r#\"un\"safe\"# 'x' '\\'' &'a c";
    assert_eq!(code_of(text).split_whitespace().collect::<Vec<_>>(), ["a", "b", "&'a", "c"]);
    assert_eq!(code_of(text).lines().count(), 2);
    assert_eq!(
        paths_after(&code_of("use crate::{a::{b, c}, d}; crate::e::f(); pub(crate) g"), "crate"),
        ["a::b", "a::c", "d", "e::f"]
    );
}

/// The paths that follow `ROOT::` in the code, groups written out.
fn paths_after(code: &str, root: &str) -> Vec<String> {
    let start = format!("{root}::");
    let starts = code.match_indices(&start).filter(|(at, _)| {
        !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':' || c == '$')
    });
    starts.flat_map(|(at, _)| tree(&mut code[at + start.len()..].trim_start(), "")).collect()
}

/// Reads one tree of a `use`, or a path.
fn tree(rest: &mut &str, before: &str) -> Vec<String> {
    if let Some(inner) = rest.strip_prefix('{') {
        let (mut all, mut inner) = (Vec::new(), inner.trim_start());
        while !inner.is_empty() && !inner.starts_with('}') {
            all.extend(tree(&mut inner, before));
            inner = inner.trim_start_matches(|c: char| c == ',' || c.is_whitespace());
        }
        *rest = inner.strip_prefix('}').unwrap_or(inner);
        return all;
    }
    let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
    let path = if before.is_empty() { rest[..end].to_owned() } else { format!("{before}::{}", &rest[..end]) };
    *rest = rest[end..].trim_start();
    if let Some(deeper) = rest.strip_prefix("::").map(str::trim_start)
        && deeper.starts_with(|c: char| c == '{' || c.is_alphabetic() || c == '_')
    {
        *rest = deeper;
        return tree(rest, &path);
    }
    if let Some(renamed) = rest.strip_prefix("as ") {
        let end = renamed.find([',', '}', ';']).unwrap_or(renamed.len());
        *rest = &renamed[end..];
    }
    vec![path]
}

/// `path` is `allowed` or in it.
fn within(path: &str, allowed: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Fails with all of them.
#[track_caller]
fn none(rule: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// The table of `src/lib.rs`: each module with what its last column names between backticks.
fn table() -> Vec<(String, Vec<String>)> {
    let map = std::fs::read_to_string(source().join("src/lib.rs")).expect("src/lib.rs");
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    rows.map(|row| {
        let name = row.split('`').next().expect("a name").to_owned();
        let may = row.trim_end_matches(" |").rsplit(" | ").next().expect("a last column");
        (name, may.split('`').skip(1).step_by(2).map(ToOwned::to_owned).collect())
    })
    .collect()
}

#[test]
fn modules_use_what_the_table_allows() {
    let (table, mut found) = (table(), Vec::new());
    for file in files("src") {
        let module = file.module();
        if module == "lib" || module.starts_with("bin::") {
            continue;
        }
        let Some((own, may)) = table.iter().find(|(name, _)| within(&module, name)) else {
            found.push(format!("{}: no module of the table", file.name));
            continue;
        };
        for path in paths_after(&file.code, "crate") {
            if path != "VERSION" && !within(&path, own) && !may.iter().any(|may| within(&path, may)) {
                found.push(format!("{}: crate::{path}", file.name));
            }
        }
        if own == "wire" && module != "wire::control" && file.code.contains("crate::core") {
            found.push(format!("{}: only the control protocol carries types of `core`", file.name));
        }
        if file.code.contains(&"super::".repeat(module.split("::").count() + 1)) {
            found.push(format!("{}: more `super::` than it is deep", file.name));
        }
    }
    none("a module may name only what the table of src/lib.rs allows", found);
}

#[test]
fn the_table_has_every_module() {
    let map = std::fs::read_to_string(source().join("src/lib.rs")).expect("src/lib.rs");
    let listed: BTreeSet<_> = table().into_iter().map(|(name, _)| name).collect();
    let there: BTreeSet<_> =
        map.lines().filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';')).map(String::from).collect();
    assert_eq!(listed, there, "the table of src/lib.rs and its modules");
}

#[test]
fn nothing_but_its_own_dependencies_reaches_the_host() {
    let manifest = std::fs::read_to_string(source().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let mut dependencies: BTreeSet<String> = BTreeSet::new();
    let systems = manifest["target"].as_table().expect("a table").values();
    let tables = systems.map(|system| system.as_table().expect("a table")).chain([&manifest]);
    for table in tables {
        dependencies.extend(table["dependencies"].as_table().expect("a table").keys().cloned());
    }
    let text = std::fs::read_to_string(source().join("Cargo.toml")).expect("Cargo.toml");
    let (_, after) = text.split_once("# The host:").expect("the host's dependencies");
    let (hosts, _) = after.split_once("\n\n").expect("then the others");
    let hosts: Vec<&str> = hosts.lines().filter_map(|l| l.split_once(" = ")).map(|(n, _)| n).collect();
    assert!(hosts.len() > 3 && dependencies.len() > hosts.len(), "{hosts:?} of {dependencies:?}");
    let mut found = Vec::new();
    for file in files("src").iter().filter(|f| IN_THE_HOST.iter().any(|m| within(&f.module(), m))) {
        let (live, _) = without_tests(&file.code);
        for name in dependencies.iter().filter(|d| !hosts.contains(&d.as_str())) {
            let name = name.replace('-', "_");
            let used = !paths_after(live, &name).is_empty() || live.contains(&format!("use {name};"));
            if used && !ONLY_AT_COMPILE_TIME.contains(&name.as_str()) {
                found.push(format!("{}: {name}", file.name));
            }
        }
    }
    none("the host has nothing but the first part of [dependencies]", found);
}

#[test]
fn unsafe_code_is_in_sys_only() {
    let mut found = Vec::new();
    for file in files("src").iter().filter(|f| !within(&f.module(), "sys")) {
        found.extend(file.lines_with("unsafe").iter().map(|line| format!("{}:{line}", file.name)));
    }
    none("`unsafe` is in src/sys only", found);
}

#[test]
fn capabilities_are_given_in_the_table_only() {
    let mut found = Vec::new();
    for file in files("src").iter().filter(|f| f.name != "src/lib.rs") {
        for lint in ["disallowed_methods", "unsafe_code"] {
            found.extend(file.lines_with(lint).iter().map(|line| format!("{}:{line}: {lint}", file.name)));
        }
    }
    none("only src/lib.rs allows what .clippy.toml bans", found);
}

#[test]
fn exceptions_say_why() {
    let mut found = Vec::new();
    for file in files("src").iter().chain(&files("tests")) {
        for (start, attribute) in ["#[allow(", "#![allow(", "#[expect(", "#![expect("]
            .iter()
            .flat_map(|a| file.code.match_indices(a).collect::<Vec<_>>())
        {
            let end = file.code[start..].find(")]").map_or(file.code.len(), |n| start + n);
            if !file.code[start..end].contains("reason") {
                let line = file.code[..start].lines().count();
                found.push(format!("{}:{line}: {attribute}…", file.name));
            }
        }
    }
    none("an exception from a lint has a reason", found);
}

#[test]
fn files_have_one_purpose() {
    let mut found = Vec::new();
    let files = files("src");
    let tests = test_modules(&files);
    for file in &files {
        let (_, lines) = without_tests(&file.text);
        let lines = if tests.iter().any(|t| within(&file.module(), t)) { 0 } else { lines };
        let reason = LONGER.iter().find(|(name, _)| *name == file.name);
        match (lines > LINES, reason) {
            (true, None) => found.push(format!("{}: {lines} lines without its tests", file.name)),
            (false, Some(_)) => found.push(format!("{}: is short now; take it off the list", file.name)),
            (true, Some(_)) | (false, None) => {}
        }
        let stem = Path::new(&file.name).file_stem().and_then(|s| s.to_str()).expect("a name");
        if BANNED_NAMES.contains(&stem) || BANNED_NAMES.iter().any(|n| file.name.contains(&format!("/{n}/")))
        {
            found.push(format!("{}: a name that invites everything", file.name));
        }
    }
    none("a file has one purpose, and a name that says it", found);
}

/// Modules that are compiled for tests only.
fn test_modules(files: &[File]) -> Vec<String> {
    let mut modules = Vec::new();
    for file in files {
        for (_, rest) in
            file.code.match_indices("#[cfg(test)]").map(|(at, m)| file.code.split_at(at + m.len()))
        {
            if let Some(name) = modules_of(rest.lines().nth(1).unwrap_or_default()).pop() {
                modules.push(format!("{}::{name}", file.module()));
            }
        }
    }
    modules
}

/// What is before the tests of a file, and how many lines that is.
fn without_tests(text: &str) -> (&str, usize) {
    // Tests of one platform begin with the second.
    let marks = ["\n#[cfg(test)]\nmod ", "\n#[cfg(all(test, "];
    let live = marks.iter().filter_map(|mark| text.find(mark)).min().map_or(text, |end| &text[..end]);
    (live, live.lines().count())
}

#[test]
fn nothing_is_unfinished_and_no_test_sleeps() {
    let mut found = Vec::new();
    for file in files("src").iter().chain(&files("tests")) {
        for word in ["todo", "unimplemented", "dbg"] {
            let calls = format!("{word}!");
            let lines = (1..).zip(file.code.lines()).filter(|(_, l)| l.contains(&calls));
            found.extend(lines.map(|(n, _)| format!("{}:{n}: {calls}", file.name)));
        }
        for word in ["sleep", "sleep_ms"] {
            // A bench lets things settle.
            let test_file = file.name.starts_with("tests/") && !file.name.starts_with("tests/bench/");
            let (live, _) = without_tests(&file.code);
            let after = live.lines().count();
            let lines = file.lines_with(word).into_iter().filter(|n| test_file || *n > after);
            found.extend(lines.map(|n| format!("{}:{n}: a test that sleeps", file.name)));
        }
    }
    none("finished code, and tests that wait for events", found);
}

#[test]
fn every_file_is_compiled() {
    let mut found = Vec::new();
    for (folder, roots) in
        [("src", &["src/lib.rs"][..]), ("tests", &["tests/main.rs", "tests/bench/versus/main.rs"][..])]
    {
        let files = files(folder);
        let mut reached: BTreeSet<String> = roots.iter().map(|r| (*r).to_owned()).collect();
        let mut open: Vec<String> = reached.iter().cloned().collect();
        while let Some(name) = open.pop() {
            let Some(file) = files.iter().find(|f| f.name == name) else { continue };
            let parent = Path::new(&name).parent().expect("a folder");
            let stem = Path::new(&name).file_stem().and_then(|s| s.to_str()).expect("a name");
            let folder = match stem {
                "mod" | "lib" | "main" => parent.to_owned(),
                _ if roots.contains(&name.as_str()) => parent.to_owned(),
                _ => parent.join(stem),
            };
            for module in modules_of(&file.code) {
                for path in [folder.join(format!("{module}.rs")), folder.join(&module).join("mod.rs")] {
                    let path = path.to_str().expect("UTF-8").to_owned();
                    if reached.insert(path.clone()) {
                        open.push(path);
                    }
                }
            }
        }
        let elsewhere = |name: &str| name.starts_with("src/bin/") || name.starts_with("tests/fuzz/targets/");
        found.extend(files.iter().map(|f| f.name.clone()).filter(|n| !reached.contains(n) && !elsewhere(n)));
    }
    let fuzz = source().join("tests/fuzz/Cargo.toml");
    if fuzz.exists() {
        let manifest = std::fs::read_to_string(fuzz).expect("a readable file");
        let targets = files("tests/fuzz/targets");
        let unlisted = targets.iter().filter(|f| {
            !manifest.contains(&format!("path = \"{}\"", f.name.trim_start_matches("tests/fuzz/")))
        });
        found.extend(unlisted.map(|f| f.name.clone()));
    }
    none("these files belong to no program", found);
}

/// Names in `mod NAME;` lines.
fn modules_of(code: &str) -> Vec<String> {
    let name = |line: &str| {
        let line = line.trim_start();
        let line = line.strip_prefix("pub(crate) ").or(line.strip_prefix("pub(super) ")).unwrap_or(line);
        let line = line.strip_prefix("pub ").unwrap_or(line);
        Some(line.strip_prefix("mod ")?.strip_suffix(';')?.to_owned())
    };
    code.lines().filter_map(name).collect()
}

#[test]
fn the_top_level_is_as_it_was_laid_out() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(source()).expect("the source tree") {
        let name = entry.expect("an entry").file_name().into_string().expect("UTF-8");
        if !TOP.contains(&name.as_str()) && !TOP_DOTS.contains(&name.as_str()) {
            found.push(name);
        }
    }
    none("a place for everything: the top level has no room for", found);
}
