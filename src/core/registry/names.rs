//! Names of the registry's files.
//!
//! | Name | Whose |
//! |---|---|
//! | `<pid>.json` | the process with this id |
//! | `<pid>@<tag>.json` | the same, where somebody else has the first name: a process of another container or machine that shares the folder, or a file that is none of ours |
//! | `2026-03-14_notes.md`, `007.json`, `+5.json`, `5.json.bak`, … | nobody's: never read, changed or removed |

/// The largest id that a system gives.
const LARGEST_PID: u32 = i32::MAX.cast_unsigned();
const END: &str = ".json";

/// The names of a process's file: the usual one, and the one beside what has that.
pub fn of(pid: u32, tag: u32) -> [String; 2] {
    [format!("{pid}{END}"), format!("{pid}@{tag:08x}{END}")]
}

/// The process that a name stands for, and the tag of where that runs, where the name has one.
pub fn read(name: &str) -> Option<(u32, Option<u32>)> {
    let stem = name.strip_suffix(END)?;
    let (pid, tag) = match stem.split_once('@') {
        None => (stem, None),
        Some((pid, tag)) => (pid, Some(tag)),
    };
    let tag = match tag {
        None => None,
        Some(tag) => Some(u32::from_str_radix(tag, 16).ok()?),
    };
    let pid = pid.parse().ok().filter(|pid| (1..=LARGEST_PID).contains(pid))?;
    // As it would be written, to the letter: no sign, no leading zero, no upper case.
    let [usual, beside] = of(pid, tag.unwrap_or(0));
    let exact = if tag.is_some() { beside } else { usual };
    (exact == name).then_some((pid, tag))
}
