//! What the control group of a process says about where it was started.

use crate::core::classify::Unit;
use crate::core::id::SessionId;
use crate::sys::process;
use std::path::Path;

/// The unit of this process; unknown where there are no control groups, or none of a service manager's.
pub(super) fn of(pid: u32, tag: Option<&str>) -> Unit {
    // It ended, or the platform has none: nothing that helps.
    let groups = process::control_groups(pid).unwrap_or_default();
    match groups.iter().map(|path| parse(path, tag)).find(|unit| *unit != Unit::Unknown) {
        Some(Unit::Login(scope)) if is_graphical(&scope) => Unit::Desktop(scope),
        Some(unit) => unit,
        None => Unit::Unknown,
    }
}

/// The path of a control group. The innermost unit counts, save that whatever is in a session's unit is that session's.
fn parse(path: &str, tag: Option<&str>) -> Unit {
    let parts = || path.split('/').rev();
    if let Some(id) = parts().find_map(|part| session(part, tag)) {
        return Unit::Session(id);
    }
    let Some(unit) = parts().find(|part| part.ends_with(".scope") || part.ends_with(".service")) else {
        return Unit::Unknown;
    };
    let (begins, is_scope) = (|with: &str| unit.starts_with(with), unit.ends_with(".scope"));
    // The names that desktops and the programs that they start give, and what a terminal of GNOME's runs.
    if begins("app-") || is_scope && (begins("vte-spawn-") || begins("snap.")) {
        Unit::Desktop(unit.to_owned())
    } else if is_scope && begins("session-") {
        Unit::Login(unit.to_owned())
    } else if is_scope {
        Unit::Unknown
    } else {
        Unit::Service(unit.to_owned())
    }
}

/// The session whose unit has this name, as [`crate::service`] gives it to the units of one abide.
fn session(unit: &str, tag: Option<&str>) -> Option<SessionId> {
    let name = unit.strip_prefix("abide-session-")?.strip_suffix(".service")?;
    match tag {
        None => name.parse().ok(),
        Some(tag) => name.strip_prefix(tag)?.strip_prefix('-')?.parse().ok(),
    }
}

/// Whether logind knows this login as one of a desktop, whose programs are in its scope where the desktop gives them
/// none of their own.
fn is_graphical(scope: &str) -> bool {
    let id = scope.trim_start_matches("session-").trim_end_matches(".scope");
    let known = std::fs::read_to_string(Path::new("/run/systemd/sessions").join(id));
    known.is_ok_and(|text| text.lines().any(|line| matches!(line, "TYPE=x11" | "TYPE=wayland" | "TYPE=mir")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_known_by_its_unit_and_the_tag_of_its_abide() {
        let id = SessionId::from_bits(0x7c5d_cf5d);
        let manager = "/user.slice/user-1000.slice/user@1000.service";
        for (path, tag, unit) in [
            ("abide.slice/abide-session-7c5dcf5d.service", None, Unit::Session(id)),
            ("abide.slice/abide-session-7c5dcf5d.service/inner.scope", None, Unit::Session(id)),
            ("abide.slice/abide-session-0a1b-7c5dcf5d.service", Some("0a1b"), Unit::Session(id)),
            // Another abide's, and names that only look like one.
            (
                "abide.slice/abide-session-0a1b-7c5dcf5d.service",
                None,
                Unit::Service("abide-session-0a1b-7c5dcf5d.service".into()),
            ),
            (
                "abide.slice/abide-session-7c5dcf5d.service",
                Some("0a1b"),
                Unit::Service("abide-session-7c5dcf5d.service".into()),
            ),
            ("abide-session-7c5dcf5d.scope", None, Unit::Unknown),
            ("abide-session-7c5dcf5.service", None, Unit::Service("abide-session-7c5dcf5.service".into())),
            ("abide-session-é.service", None, Unit::Service("abide-session-é.service".into())),
        ] {
            assert_eq!(parse(&format!("{manager}/{path}"), tag), unit, "{path}");
        }
    }

    #[test]
    fn the_innermost_unit_says_where_a_process_was_started() {
        let service = |name: &str| Unit::Service(name.into());
        let desktop = |name: &str| Unit::Desktop(name.into());
        for (path, unit) in [
            ("/", Unit::Unknown),
            ("", Unit::Unknown),
            ("/init.scope", Unit::Unknown),
            ("/docker/0123456789abcdef", Unit::Unknown),
            ("/system.slice/cron.service", service("cron.service")),
            ("/../../system.slice/cron.service", service("cron.service")),
            ("/user.slice/user-0.slice/user@0.service/run-r1.scope", Unit::Unknown),
            ("/user.slice/user-0.slice/user@0.service/init.scope", Unit::Unknown),
            ("/user.slice/user-0.slice/session-c1.scope", Unit::Login("session-c1.scope".into())),
            (
                "/user.slice/user-0.slice/user@0.service/app.slice/app-gnome-code-7.scope",
                desktop("app-gnome-code-7.scope"),
            ),
            ("/user@0.service/app.slice/app-org.kde.kate@1.service", desktop("app-org.kde.kate@1.service")),
            ("/user@0.service/app.slice/vte-spawn-ab.scope/x", desktop("vte-spawn-ab.scope")),
            ("/user@0.service/app.slice/mine.service", service("mine.service")),
        ] {
            assert_eq!(parse(path, None), unit, "{path}");
        }
    }
}
