//! A `launchctl` for tests: a script that keeps jobs as files, and what it was told.

use super::Launchd;
use super::launchctl::Launchctl;
use crate::paths::Surroundings;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Codes and words are those of launchctl. A job that is removed stays for two looks; a property list must name the
/// session type of its domain.
const SCRIPT: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 70
echo "$*" >>asked
fail() {
    echo "$1 failed: $2: $3" >&2
    echo "Try re-running the command as root for richer errors." >&2
    exit "$2"
}
job() { echo "$1" | tr / _; }
case $1 in
print)
    it=$(job "$2")
    case $2 in
    */*/*)
        if [ -e "leaving/$it" ]; then
            looks=$(cat "leaving/$it")
            echo $((looks - 1)) >"leaving/$it"
            [ "$looks" -gt 0 ] || rm "leaving/$it" "loaded/$it"
        fi
        [ -e "loaded/$it" ] && exit 0
        echo "Could not find service in domain" >&2
        exit 113
        ;;
    *)
        [ -e "domains/$it" ] && exit 0
        echo "Bad request." >&2
        exit 125
        ;;
    esac
    ;;
print-disabled) cat disabled ;;
enable) : >disabled ;;
bootstrap)
    it=$(job "$2")_$(basename "$3" .plist)
    if [ -s failures ]; then
        code=$(head -n 1 failures)
        tail -n +2 failures >rest
        mv rest failures
        fail Bootstrap "$code" "as told"
    fi
    case $2 in gui/*) type=Aqua ;; *) type=Background ;; esac
    grep -q "<string>$type</string>" "$3" || fail Bootstrap 5 "Input/output error"
    grep -q "\"$(basename "$3" .plist)\" => disabled" disabled && fail Bootstrap 119 "Service is disabled"
    [ ! -e "loaded/$it" ] || fail Bootstrap 5 "Input/output error"
    : >"loaded/$it"
    ;;
bootout)
    it=$(job "$2")
    [ -e "loaded/$it" ] || fail Boot-out 3 "No such process"
    echo 2 >"leaving/$it"
    fail Boot-out 36 "Operation now in progress"
    ;;
*) exit 64 ;;
esac
"#;

/// A user's home folder with a launchd.
pub(crate) struct Fake {
    root: tempfile::TempDir,
}

impl Fake {
    /// Somebody is logged in at the screen, and nothing is loaded.
    pub(crate) fn new() -> Self {
        let fake = Self { root: tempfile::tempdir().expect("tempdir") };
        for folder in ["loaded", "leaving", "domains", "home/Library/LaunchAgents"] {
            std::fs::create_dir_all(fake.path().join(folder)).expect("mkdir");
        }
        for file in ["asked", "disabled", "failures", "domains/gui_501"] {
            fake.put(file, "");
        }
        fake.program(SCRIPT);
        fake
    }

    /// Makes this script the program. By another one, since a script cannot be executed while it is open for writing, as
    /// it would be in whatever another test starts at this moment.
    pub(crate) fn program(&self, script: &str) {
        self.put("script", script);
        let [from, to] = ["script", "launchctl"].map(|name| self.path().join(name));
        let done =
            std::process::Command::new("install").arg("-m755").args([from, to]).status().expect("install");
        assert!(done.success());
    }

    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("write");
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path().join("home")
    }

    pub(crate) fn launchctl(&self) -> Launchctl {
        Launchctl::new(&self.path().join("launchctl"))
            .with_patience(Duration::from_secs(60), Duration::from_millis(1))
    }

    pub(crate) fn launchd(&self) -> Launchd {
        let user = Surroundings { home: Some(self.home().into()), uid: 501, ..Surroundings::default() };
        Launchd::new(&user, self.launchctl()).expect("a home")
    }

    /// Nobody is logged in at the screen any more, or was.
    pub(crate) fn leave_the_screen(&self) {
        std::fs::remove_file(self.path().join("domains/gui_501")).expect("somebody was");
    }

    /// Jobs that are loaded.
    pub(crate) fn loaded(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.path().join("loaded")).expect("there");
        let mut jobs: Vec<_> =
            files.flatten().map(|e| e.file_name().into_string().expect("UTF-8").replace('_', "/")).collect();
        jobs.sort();
        jobs
    }

    /// What it was told since the last time, questions aside.
    pub(crate) fn told(&self) -> Vec<String> {
        let asked = std::fs::read_to_string(self.path().join("asked")).expect("there");
        self.put("asked", "");
        let lines = asked.lines().filter(|line| !line.starts_with("print"));
        lines.map(|line| line.replace(&format!("{}/", self.home().display()), "~/")).collect()
    }
}
