//! What is tried again, what is given up, and how that is explained.

use super::agent::{LABEL, UPGRADE_LABEL};
use super::fake::Fake;
use super::launchctl::{Complaint, Domain};
use crate::paths::Paths;
use std::path::PathBuf;
use std::time::Duration;

const GUI: Domain = Domain::Gui(501);
const USER: Domain = Domain::User(501);

/// A property list for this domain.
fn file(fake: &Fake, domain: Domain) -> PathBuf {
    let path = fake.launchd().file(LABEL);
    std::fs::write(&path, format!("<string>{}</string>", domain.session_type())).expect("write");
    path
}

fn paths(fake: &Fake) -> Paths {
    let root = fake.path();
    Paths { runtime: root.join("run"), state: root.join("state"), config: root.join("config"), home: None }
}

#[test]
fn a_job_belongs_to_the_screen_where_somebody_is_logged_in_there() {
    let fake = Fake::new();
    assert_eq!(fake.launchd().domain().expect("asked"), GUI);
    fake.leave_the_screen();
    assert_eq!(fake.launchd().domain().expect("asked"), USER);
    assert_eq!(fake.launchd().loaded(LABEL).expect("asked"), None);
    fake.launchctl().bootstrap(USER, LABEL, &file(&fake, USER)).expect("loaded");
    assert_eq!(fake.launchd().loaded(LABEL).expect("asked"), Some(USER));
    assert_eq!(fake.launchd().loaded(UPGRADE_LABEL).expect("asked"), None);
}

#[test]
fn a_bootstrap_that_fails_for_a_moment_is_repeated_and_one_that_fails_for_good_is_not() {
    let fake = Fake::new();
    let file = file(&fake, GUI);
    fake.put("failures", "5\n37\n5\n");
    fake.launchctl().bootstrap(GUI, LABEL, &file).expect("in the end");
    assert_eq!(fake.told().len(), 4);
    fake.launchctl().bootstrap(GUI, LABEL, &file).expect("what is loaded already is as good");
    fake.launchctl().bootout(GUI, LABEL).expect("unloaded");
    fake.told();
    fake.put("failures", "122\n");
    let error = fake.launchctl().bootstrap(GUI, LABEL, &file).expect_err("not ours");
    assert!(
        error
            .to_string()
            .ends_with("122: as told (its property list must be yours, and writable by nobody else)")
    );
    assert_eq!(fake.told().len(), 1);
    fake.put("failures", "5\n5\n5\n5\n5\n5\n5\n");
    let error = fake.launchctl().bootstrap(GUI, LABEL, &file).expect_err("never");
    assert!(error.to_string().contains("not meant for this kind of login"), "{error}");
    assert!(!error.to_string().contains("as root"), "{error}");
    assert_eq!(fake.told().len(), 5);
}

#[test]
fn an_agent_of_the_screen_cannot_be_loaded_at_another_login() {
    let fake = Fake::new();
    fake.launchctl().bootstrap(USER, LABEL, &file(&fake, GUI)).expect_err("Aqua only");
    fake.launchctl().bootstrap(USER, LABEL, &file(&fake, USER)).expect("Background");
}

#[test]
fn a_bootout_waits_until_the_job_is_gone_and_needs_none_to_be_there() {
    let fake = Fake::new();
    fake.launchctl().bootout(GUI, LABEL).expect("nothing to do");
    fake.launchctl().bootstrap(GUI, LABEL, &file(&fake, GUI)).expect("loaded");
    fake.launchctl().bootout(GUI, LABEL).expect("unloaded");
    assert_eq!(fake.loaded(), Vec::<String>::new());
    fake.launchctl().bootstrap(GUI, LABEL, &file(&fake, GUI)).expect("loaded");
    // So many looks that it never goes: what should have ended does not.
    let stuck = fake.launchctl();
    fake.program("#!/bin/sh\nexit 0\n");
    let error = stuck.bootout(GUI, LABEL).expect_err("it stays");
    assert!(matches!(&error, Complaint::Stays(job) if job == "gui/501/local.abide"), "{error}");
}

#[test]
fn a_job_that_is_switched_off_is_seen_by_old_and_new_words() {
    let fake = Fake::new();
    let disabled = || fake.launchctl().is_disabled(GUI, LABEL).expect("asked");
    assert!(!disabled());
    for (line, expected) in [
        ("\t\t\"local.abide\" => disabled", true),
        ("\t\t\"local.abide\" => true", true),
        ("\t\t\"local.abide\" => enabled", false),
        ("\t\t\"local.abide\" => false", false),
        ("\t\t\"local.abide.upgrade\" => disabled", false),
    ] {
        fake.put("disabled", &format!("\tdisabled services = {{\n{line}\n\t}}\n"));
        assert_eq!(disabled(), expected, "{line}");
    }
}

#[test]
fn a_launchctl_that_hangs_or_is_missing_is_an_error() {
    let fake = Fake::new();
    let launchctl = fake.launchctl().with_patience(Duration::from_millis(50), Duration::ZERO);
    fake.program("#!/bin/sh\nexec tail -f /dev/null\n");
    let error = launchctl.is_there("gui/501").expect_err("hangs");
    assert!(error.to_string().starts_with("launchctl print gui/501 does not end"), "{error}");
    std::fs::remove_file(fake.path().join("launchctl")).expect("removed");
    let error = launchctl.is_there("gui/501").expect_err("missing");
    assert!(matches!(error, Complaint::NoProgram(_)), "{error}");
}

#[test]
fn an_answer_that_is_not_understood_is_never_taken_for_absence() {
    let fake = Fake::new();
    fake.program("#!/bin/sh\necho 'Not privileged.' >&2\nexit 1\n");
    let error = fake.launchd().loaded(LABEL).expect_err("unknown");
    assert_eq!(error.to_string(), "launchctl print gui/501/local.abide: Not privileged.");
}

#[test]
fn only_an_installed_and_loaded_agent_is_made_to_listen_again() {
    let fake = Fake::new();
    let paths = paths(&fake);
    assert!(!fake.launchd().mend(&paths, || false).expect("asked"), "nothing is installed");
    let file = file(&fake, GUI);
    assert!(!fake.launchd().mend(&paths, || false).expect("asked"), "not loaded, at this login or at all");
    assert_eq!(fake.told(), Vec::<String>::new());
    fake.launchctl().bootstrap(GUI, LABEL, &file).expect("loaded");
    fake.told();
    assert!(fake.launchd().mend(&paths, || false).expect("mended"));
    let bootstrap = "bootstrap gui/501 ~/Library/LaunchAgents/local.abide.plist";
    assert_eq!(fake.told(), ["bootout gui/501/local.abide", bootstrap]);
    assert_eq!(fake.loaded(), ["gui/501/local.abide"]);
    paths.prepare().expect("prepared");
    std::fs::write(paths.control_socket(), "").expect("a name");
    let looks = std::cell::Cell::new(0);
    let in_a_moment = || looks.replace(looks.get() + 1) > 2;
    assert!(fake.launchd().mend(&paths, in_a_moment).expect("nothing to mend"), "its queue was full");
    assert_eq!(fake.told(), Vec::<String>::new());
    let elsewhere = Paths { home: Some("/h".into()), ..paths };
    assert!(!fake.launchd().mend(&elsewhere, || false).expect("asked"), "such a home stands by itself");
}

#[test]
fn launchd_listens_while_the_agent_is_loaded_and_its_socket_has_its_name() {
    let fake = Fake::new();
    let paths = paths(&fake);
    paths.prepare().expect("prepared");
    let listens = || fake.launchd().listens(&paths).expect("asked");
    fake.launchctl().bootstrap(GUI, LABEL, &file(&fake, GUI)).expect("loaded");
    assert!(!listens(), "a cleaner took the name away");
    let _socket = std::os::unix::net::UnixListener::bind(paths.control_socket()).expect("bound");
    assert!(listens());
    fake.launchctl().bootout(GUI, LABEL).expect("unloaded");
    assert!(!listens());
}
