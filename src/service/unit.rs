//! The unit files: real files of this package, of which only the program's path is filled in.

/// Name of a session's unit. The drop-ins of `abide-session-.service.d` apply to each.
pub fn session(tag: Option<&str>, id: &str) -> String {
    tag.map_or_else(
        || format!("abide-session-{id}.service"),
        |tag| format!("abide-session-{tag}-{id}.service"),
    )
}
