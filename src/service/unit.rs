//! The unit files: real files of this package, which a linter can read and a distribution can ship as they are.
//! `abide install` fills in nothing but the path of the program.

use std::path::Path;

/// The socket, which is what is enabled.
pub const SOCKET: &str = "abide.socket";
/// The supervisor's service.
pub const SERVICE: &str = "abide.service";

/// What notices that the program was replaced; enabled as well.
pub const UPGRADE: &str = "abide-upgrade.path";

/// What starts the supervisor at a boot or a login, where a session is to come back by itself; enabled as well.
pub const RESUME: &str = "abide-resume.service";

/// Marks the files that `abide install` wrote, and that `abide uninstall` therefore may remove.
pub const MARK: &str = "# Written by `abide install`, removed by `abide uninstall`. Changes belong into a drop-in file: \
                        systemctl --user edit";

/// The path in the templates that stands for the supervisor's program.
const PROGRAM: &str = "/usr/bin/abided";

/// Path below the folder of units, and content.
const TEMPLATES: [(&str, &str); 7] = [
    (SOCKET, include_str!("../../systemd/abide.socket")),
    (SERVICE, include_str!("../../systemd/abide.service")),
    (UPGRADE, include_str!("../../systemd/abide-upgrade.path")),
    ("abide-upgrade.service", include_str!("../../systemd/abide-upgrade.service")),
    (RESUME, include_str!("../../systemd/abide-resume.service")),
    ("abide.slice", include_str!("../../systemd/abide.slice")),
    (
        "abide-session-.service.d/10-defaults.conf",
        include_str!("../../systemd/abide-session-.service.d/10-defaults.conf"),
    ),
];

/// Drop-in that tells the supervisor of folders that its manager does not know of.
pub const FOLDERS: &str = "abide.service.d/10-folders.conf";
/// The same for [`RESUME`].
pub const RESUME_FOLDERS: &str = "abide-resume.service.d/10-folders.conf";

/// A path cannot be written into a unit, or a property list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot be written into a service's file: it is not UTF-8, or has control characters")]
pub struct Unwritable(pub std::path::PathBuf);

/// Name of a session's unit. The drop-ins of `abide-session-.service.d` apply to each.
pub fn session(tag: Option<&str>, id: &str) -> String {
    tag.map_or_else(
        || format!("abide-session-{id}.service"),
        |tag| format!("abide-session-{tag}-{id}.service"),
    )
}

/// Name of the unit of a supervisor that a client started, where none is installed.
pub fn on_demand(tag: Option<&str>) -> String {
    tag.map_or_else(|| "abide-ondemand.service".into(), |tag| format!("abide-ondemand-{tag}.service"))
}

/// The files to install, for this supervisor's program: path below the folder of units, and content.
///
/// # Errors
/// [`Unwritable`].
pub fn render(program: &Path) -> Result<Vec<(&'static str, String)>, Unwritable> {
    let (quoted, bare) = (quoted(program)?, unquoted(program)?);
    let line = |line: &str| {
        // A path to be watched is the rest of its line, and is not unquoted.
        let path = if line.starts_with("PathChanged=") { &bare } else { &quoted };
        line.replace(PROGRAM, path)
    };
    let fill = |text: &str| text.split('\n').map(line).collect::<Vec<_>>().join("\n");
    Ok(TEMPLATES.map(|(name, text)| (name, format!("{MARK}\n{}", fill(text)))).to_vec())
}

/// Every path that an installation may have, below the folder of units.
pub fn names() -> impl Iterator<Item = &'static str> {
    TEMPLATES.iter().map(|(name, _)| *name).chain([FOLDERS, RESUME_FOLDERS])
}

/// The drop-in [`FOLDERS`] for these variables.
///
/// # Errors
/// [`Unwritable`].
pub fn folders(variables: &[(&'static str, std::path::PathBuf)]) -> Result<String, Unwritable> {
    let mut text = format!("{MARK}\n[Service]\n");
    for (name, value) in variables {
        let value = escaped(value)?;
        text.push_str(&format!("Environment=\"{name}={value}\"\n"));
    }
    Ok(text)
}

fn quoted(path: &Path) -> Result<String, Unwritable> {
    let text = escaped(path)?;
    let plain = |c: char| c.is_alphanumeric() || "/._-+%@:,".contains(c);
    Ok(if text.chars().all(plain) { text } else { format!("\"{text}\"") })
}

/// For a setting that takes the rest of its line.
fn unquoted(path: &Path) -> Result<String, Unwritable> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control) && text.trim() == *text);
    text.map(|text| text.replace('%', "%%")).ok_or_else(|| Unwritable(path.into()))
}

/// For the inside of a quoted word: specifiers and the quoting itself mean nothing.
fn escaped(path: &Path) -> Result<String, Unwritable> {
    let text = path.to_str().filter(|text| !text.chars().any(char::is_control));
    let text = text.ok_or_else(|| Unwritable(path.into()))?;
    Ok(text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt;

    fn service(program: &str) -> String {
        let rendered = render(Path::new(program)).expect("writable");
        rendered.into_iter().find(|(name, _)| *name == SERVICE).expect("there").1
    }

    #[test]
    fn the_program_is_filled_in_and_nothing_else() {
        let (_, template) = TEMPLATES.into_iter().find(|(name, _)| *name == SERVICE).expect("there");
        assert_eq!(service(PROGRAM), format!("{MARK}\n{template}"));
        assert_eq!(template.matches(PROGRAM).count(), 1);
        let changed: Vec<String> = service("/opt/a/abided")
            .lines()
            .skip(1)
            .zip(template.lines())
            .filter(|(new, old)| new != old)
            .map(|(new, _)| new.to_owned())
            .collect();
        assert_eq!(changed, ["ExecStart=/opt/a/abided"]);
    }

    #[test]
    fn strange_paths_are_quoted_and_impossible_ones_refused() {
        assert!(service("/a b/abided").contains("\nExecStart=\"/a b/abided\"\n"));
        assert!(service("/100%/abided").contains("\nExecStart=/100%%/abided\n"));
        assert!(service(r#"/q"u\o/abided"#).contains("\nExecStart=\"/q\\\"u\\\\o/abided\"\n"));
        assert!(service("/a;b/abided").contains("\nExecStart=\"/a;b/abided\"\n"));
        let path = |program: &str| {
            let rendered = render(Path::new(program)).expect("writable");
            rendered.into_iter().find(|(name, _)| *name == UPGRADE).expect("there").1
        };
        assert!(path("/a b/100%/abided").contains("\nPathChanged=/a b/100%%/abided\n"));
        assert!(path("/x/usr/bin/abided").contains("\nPathChanged=/x/usr/bin/abided\n"));
        render(Path::new("/a\nExecStartPre=evil")).expect_err("a line end");
        render(Path::new(std::ffi::OsStr::from_bytes(b"/\xff"))).expect_err("not UTF-8");
    }

    #[test]
    fn units_of_one_home_are_told_from_anothers_and_share_the_drop_ins() {
        assert_eq!(session(None, "7c5dcf5d"), "abide-session-7c5dcf5d.service");
        assert_eq!(session(Some("0a1b"), "7c5dcf5d"), "abide-session-0a1b-7c5dcf5d.service");
        assert_eq!(on_demand(None), "abide-ondemand.service");
        assert_eq!(on_demand(Some("0a1b")), "abide-ondemand-0a1b.service");
    }

    #[test]
    fn folders_are_variables_of_the_service() {
        let text = folders(&[("XDG_STATE_HOME", "/my state%".into())]).expect("writable");
        assert!(text.ends_with("[Service]\nEnvironment=\"XDG_STATE_HOME=/my state%%\"\n"));
    }
}
