//! Plans made and carried out against a launchd of files.

use super::*;
use crate::service::install::Supervisor;
use crate::service::launchd::agent::UPGRADE_LABEL;
use crate::service::launchd::fake::Fake;
use std::cell::Cell;
use std::os::unix::net::UnixListener;

fn paths(fake: &Fake) -> Paths {
    let support = fake.home().join("Library/Application Support/abide");
    Paths {
        runtime: support.join("run"),
        state: support.join("state"),
        config: support.join("config"),
        home: None,
    }
}

fn plan_install(fake: &Fake) -> Result<Plan, InstallError> {
    Place::at(&paths(fake), fake.launchd()).plan_install(Path::new("/opt/abide/abided"), None)
}

fn plan_uninstall(fake: &Fake) -> Plan {
    Place::at(&paths(fake), fake.launchd()).plan_uninstall(None).expect("a plan")
}

/// Carries it out, and returns what launchctl was told.
fn perform(fake: &Fake, plan: &Plan) -> Vec<String> {
    fake.told();
    plan.perform(&Answers::default(), |_| ()).expect("performed");
    fake.told()
}

#[derive(Default)]
struct Answers {
    left: Cell<bool>,
    silent: bool,
}

impl Supervisor for Answers {
    fn greet(&self) -> Result<u32, String> {
        if self.silent { Err("nothing".into()) } else { Ok(1) }
    }
    fn leave(&self) -> Result<(), String> {
        self.left.set(true);
        Ok(())
    }
}

const BOTH: [&str; 2] = ["gui/501/local.abide", "gui/501/local.abide.upgrade"];

#[test]
fn a_first_installation_writes_loads_and_verifies_and_a_second_changes_nothing() {
    let fake = Fake::new();
    let plan = plan_install(&fake).expect("a plan");
    let shown = plan.to_string();
    assert!(shown.contains("    \t\t<string>/opt/abide/abided</string>\n"), "{shown}");
    assert!(shown.contains("run launchctl bootstrap gui/501 "), "{shown}");
    assert_eq!(
        perform(&fake, &plan),
        [
            "bootstrap gui/501 ~/Library/LaunchAgents/local.abide.plist",
            "bootstrap gui/501 ~/Library/LaunchAgents/local.abide.upgrade.plist"
        ]
    );
    assert_eq!(fake.loaded(), BOTH);
    assert!(paths(&fake).logs().is_dir(), "launchd opens the log there, and makes no folder");
    let again = plan_install(&fake).expect("a plan");
    assert!(again.changes_nothing(), "{again}");
    assert_eq!(perform(&fake, &again), Vec::<String>::new());
}

#[test]
fn a_moved_program_is_unloaded_rewritten_and_loaded_anew() {
    let fake = Fake::new();
    perform(&fake, &plan_install(&fake).expect("a plan"));
    let place = Place::at(&paths(&fake), fake.launchd());
    let plan = place.plan_install(Path::new("/elsewhere/abided"), None).expect("a plan");
    assert_eq!(
        perform(&fake, &plan),
        [
            "bootout gui/501/local.abide",
            "bootout gui/501/local.abide.upgrade",
            "bootstrap gui/501 ~/Library/LaunchAgents/local.abide.plist",
            "bootstrap gui/501 ~/Library/LaunchAgents/local.abide.upgrade.plist"
        ]
    );
    let text = std::fs::read_to_string(fake.launchd().file(LABEL)).expect("written");
    assert!(text.contains("/elsewhere/abided") && !text.contains("/opt/abide"), "{text}");
}

#[test]
fn an_agent_of_another_login_gives_way() {
    let fake = Fake::new();
    fake.leave_the_screen();
    let plan = plan_install(&fake).expect("a plan");
    assert!(plan.to_string().contains("note: nobody is logged in at the screen"), "{plan}");
    perform(&fake, &plan);
    assert_eq!(fake.loaded(), ["user/501/local.abide", "user/501/local.abide.upgrade"]);
    fake.put("domains/gui_501", "");
    perform(&fake, &plan_install(&fake).expect("a plan"));
    assert_eq!(fake.loaded(), BOTH);
}

#[test]
fn what_was_switched_off_is_switched_on() {
    let fake = Fake::new();
    fake.put("disabled", "\t\"local.abide\" => disabled\n");
    let told = perform(&fake, &plan_install(&fake).expect("a plan"));
    assert_eq!(told[0], "enable gui/501/local.abide");
    assert_eq!(fake.loaded(), BOTH);
}

#[test]
fn a_supervisor_that_a_command_started_is_asked_to_leave_first() {
    let fake = Fake::new();
    paths(&fake).prepare().expect("prepared");
    // What a supervisor on demand listens on.
    let socket = UnixListener::bind(paths(&fake).control_socket()).expect("bound");
    let plan = plan_install(&fake).expect("a plan");
    let at = |wanted: fn(&Step) -> bool| plan.steps.iter().position(wanted).expect("planned");
    let takes_over = at(|step| *step == Step::TakeOver);
    assert!(takes_over < at(|step| matches!(step, Step::Launchctl(_, Job::Bootstrap(..)))), "{plan}");
    let supervisor = Answers::default();
    plan.perform(&supervisor, |_| ()).expect("performed");
    assert!(supervisor.left.get());
    // launchd listens at the same path: nobody is asked to leave through its socket.
    let again = plan_install(&fake).expect("a plan");
    assert!(again.changes_nothing(), "{again}");
    drop(socket);
}

#[test]
fn files_of_others_are_neither_overwritten_nor_removed() {
    let fake = Fake::new();
    std::fs::write(fake.launchd().file(LABEL), "<plist version=\"1.0\"/>").expect("write");
    let error = plan_install(&fake).expect_err("not ours");
    assert!(matches!(&error, InstallError::NotOurs(path) if path.ends_with("local.abide.plist")), "{error}");
    assert_eq!(plan_uninstall(&fake).to_string(), "note: nothing is installed\n");
}

#[test]
fn an_uninstallation_leaves_nothing_but_the_log_and_an_answering_socket() {
    let fake = Fake::new();
    perform(&fake, &plan_install(&fake).expect("a plan"));
    let errors = paths(&fake).logs().join("abided.stderr.log");
    std::fs::write(&errors, "launchd's").expect("write");
    // launchd leaves the name of its socket behind.
    drop(UnixListener::bind(paths(&fake).control_socket()).expect("bound"));
    assert_eq!(
        perform(&fake, &plan_uninstall(&fake)),
        ["bootout gui/501/local.abide", "bootout gui/501/local.abide.upgrade"]
    );
    assert_eq!(fake.loaded(), Vec::<String>::new());
    for gone in [fake.launchd().agents(), &errors, &paths(&fake).control_socket()] {
        assert!(!gone.exists(), "{}", gone.display());
    }
    assert_eq!(plan_uninstall(&fake).to_string(), "note: nothing is installed\n");
}

#[test]
fn a_job_that_is_loaded_without_its_file_is_unloaded_too() {
    let fake = Fake::new();
    perform(&fake, &plan_install(&fake).expect("a plan"));
    std::fs::remove_file(fake.launchd().file(UPGRADE_LABEL)).expect("removed");
    perform(&fake, &plan_uninstall(&fake));
    assert_eq!(fake.loaded(), Vec::<String>::new());
}

#[test]
fn a_service_that_stays_silent_is_an_error_that_names_the_log() {
    let fake = Fake::new();
    let plan = plan_install(&fake).expect("a plan");
    let error = plan.perform(&Answers { silent: true, ..Answers::default() }, |_| ()).expect_err("silent");
    assert!(error.to_string().ends_with("Library/Logs/abide"), "{error}");
}

#[test]
fn a_wish_to_linger_is_answered_and_changes_nothing() {
    let fake = Fake::new();
    perform(&fake, &plan_install(&fake).expect("a plan"));
    let place = || Place::at(&paths(&fake), fake.launchd());
    let plan = place().plan_install(Path::new("/opt/abide/abided"), Some(true)).expect("a plan");
    assert!(plan.changes_nothing() && plan.to_string().contains("lingering is systemd's"), "{plan}");
    let plan = place().plan_uninstall(Some(false)).expect("a plan");
    assert!(plan.to_string().contains("lingering is systemd's"), "{plan}");
}

#[test]
fn only_folders_that_variables_moved_are_told_to_the_job() {
    let fake = Fake::new();
    let moved = Paths { state: "/big/state/abide".into(), runtime: "/r/abide".into(), ..paths(&fake) };
    assert_eq!(Place::at(&paths(&fake), fake.launchd()).unknown_folders(), []);
    assert_eq!(
        Place::at(&moved, fake.launchd()).unknown_folders(),
        [("XDG_STATE_HOME", PathBuf::from("/big/state"))]
    );
}
