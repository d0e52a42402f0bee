//! Plans made and carried out against a `systemctl` that answers from files and keeps what it was asked.

use super::super::Supervisor;
use super::*;
use std::cell::Cell;
use std::os::unix::fs::PermissionsExt;

/// A user's folders, a manager's answers, and the plans that follow.
struct Lab {
    root: tempfile::TempDir,
}

impl Lab {
    fn new() -> Self {
        let lab = Self { root: tempfile::tempdir().expect("tempdir") };
        let root = lab.root.path().display();
        let script = format!(
            "#!/bin/sh\necho \"$@\" >> {root}/asked\nfor last; do :; done\ncase \"$2\" in\n\
             show-environment) cat {root}/environment ;;\n\
             show) if [ \"$last\" = --property=UnitPath ]; then echo UnitPath=$(cat {root}/folders); \
             else cat {root}/state-$last 2>/dev/null; true; fi ;;\nesac\n"
        );
        lab.put("programs/systemctl", &script);
        // One that says what it was made to say, and does as it is told unless it refuses or only pretends to.
        let loginctl = format!(
            "#!/bin/sh\ncd {root}\ncase $1 in show-user) cat lingers; exit ;; esac\necho \"loginctl $*\" >> asked\n\
             [ ! -e refuses ] || {{ echo Access denied >&2; exit 1; }}\n[ ! -e pretends ] || exit 0\n\
             case $2 in enable-linger) echo yes > lingers ;; disable-linger) echo no > lingers ;; esac\n"
        );
        lab.put("programs/loginctl", &loginctl);
        for name in ["systemctl", "loginctl"] {
            let program = lab.root.path().join("programs").join(name);
            std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        }
        lab.put("environment", &format!("HOME={root}/home\nPATH=/usr/bin\n"));
        lab.put(
            "folders",
            &format!("{root}/home/.config/systemd/user /run/user/1/x {root}/usr/lib/systemd/user"),
        );
        lab
    }

    fn put(&self, name: &str, text: &str) {
        let path = self.root.path().join(name);
        std::fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        std::fs::write(path, text).expect("write");
    }

    fn paths(&self) -> Paths {
        let root = self.root.path();
        Paths {
            runtime: root.join("run/abide"),
            state: root.join("home/.local/state/abide"),
            config: root.join("home/.config/abide"),
            home: None,
        }
    }

    fn place(&self, paths: &Paths) -> Place {
        let systemctl =
            Systemctl::in_folder(&self.root.path().join("run"), &self.root.path().join("programs"));
        let (linger, users) = (self.root.path().join("linger"), self.root.path().join("users"));
        let logind = users.is_dir().then(|| Logind::at(&systemctl, "ada".into(), &linger, &users));
        Place::at(paths, systemctl, logind).expect("a manager")
    }

    /// A lab with a logind, which says this of lingering.
    fn with_logind(lingers: &str) -> Self {
        let lab = Self::new();
        lab.put("users/1000", "");
        lab.put("lingers", &format!("{lingers}\n"));
        lab
    }

    /// The last step of an installation by this wish.
    fn last_step(&self, linger: Option<bool>) -> Option<Step> {
        let plan = self.place(&self.paths()).plan_install(Path::new("/opt/abide/abided"), linger);
        plan.expect("a plan").steps.pop()
    }

    fn install(&self) -> Result<Plan, InstallError> {
        self.place(&self.paths()).plan_install(Path::new("/opt/abide/abided"), None)
    }

    fn uninstall(&self) -> Plan {
        self.place(&self.paths()).plan_uninstall(None).expect("a plan")
    }

    fn units(&self) -> PathBuf {
        self.root.path().join("home/.config/systemd/user")
    }

    /// Carries a plan out, and returns what `systemctl` was told to do.
    fn perform(&self, plan: &Plan) -> Vec<String> {
        let asked = self.root.path().join("asked");
        _ = std::fs::remove_file(&asked);
        plan.perform(&Answers::default(), |_| ()).expect("performed");
        let told = std::fs::read_to_string(asked).unwrap_or_default();
        told.lines().map(str::to_owned).collect()
    }
}

#[derive(Default)]
struct Answers {
    greeted: Cell<u32>,
}

impl Supervisor for Answers {
    fn greet(&self) -> Result<u32, String> {
        self.greeted.set(self.greeted.get() + 1);
        Ok(1)
    }
    fn leave(&self) -> Result<(), String> {
        Err("nobody was to be asked".into())
    }
}

#[test]
fn a_first_installation_writes_loads_enables_and_verifies() {
    let lab = Lab::new();
    let plan = lab.install().expect("a plan");
    let text = plan.to_string();
    assert!(text.contains("    ExecStart=/opt/abide/abided\n"), "{text}");
    assert_eq!(
        lab.perform(&plan),
        [
            "--user daemon-reload",
            "--user enable --now abide.socket",
            "--user enable --now abide-upgrade.path",
            "--user enable abide-resume.service",
            "--user stop abide.service"
        ]
    );
    for (name, content) in unit::render(Path::new("/opt/abide/abided")).expect("writable") {
        assert_eq!(std::fs::read_to_string(lab.units().join(name)).expect("written"), content);
    }
}

#[test]
fn a_second_installation_changes_nothing() {
    let lab = Lab::new();
    lab.perform(&lab.install().expect("a plan"));
    lab.put("state-abide.socket", "ActiveState=active\nUnitFileState=enabled\n");
    lab.put("state-abide-upgrade.path", "ActiveState=active\nUnitFileState=enabled\n");
    lab.put("state-abide-resume.service", "UnitFileState=enabled\n");
    lab.put("state-abide.service", "ActiveState=active\n");
    let plan = lab.install().expect("a plan");
    assert!(plan.changes_nothing(), "{plan}");
    assert_eq!(lab.perform(&plan), Vec::<String>::new());
}

#[test]
fn a_moved_program_restarts_the_service_and_a_failed_socket_is_reset() {
    let lab = Lab::new();
    lab.perform(&lab.install().expect("a plan"));
    lab.put("state-abide.socket", "ActiveState=active\nUnitFileState=enabled\n");
    lab.put("state-abide-upgrade.path", "ActiveState=active\nUnitFileState=enabled\n");
    lab.put("state-abide-resume.service", "UnitFileState=enabled\n");
    lab.put("state-abide.service", "ActiveState=active\n");
    let plan = lab.place(&lab.paths()).plan_install(Path::new("/elsewhere/abided"), None).expect("a plan");
    assert_eq!(
        lab.perform(&plan),
        ["--user daemon-reload", "--user restart abide-upgrade.path", "--user restart abide.service"]
    );
    lab.put("state-abide.socket", "ActiveState=failed\nUnitFileState=enabled\n");
    let plan = lab.place(&lab.paths()).plan_install(Path::new("/elsewhere/abided"), None).expect("a plan");
    assert_eq!(
        lab.perform(&plan)[..2],
        ["--user reset-failed abide.socket abide.service", "--user enable --now abide.socket"]
    );
}

#[test]
fn a_packages_units_are_only_enabled_and_not_hidden_by_ours() {
    let lab = Lab::new();
    lab.perform(&lab.install().expect("a plan"));
    for name in [SOCKET, SERVICE, UPGRADE, RESUME] {
        lab.put(&format!("usr/lib/systemd/user/{name}"), "");
    }
    lab.perform(&lab.install().expect("a plan"));
    assert!(unit::names().all(|name| !lab.units().join(name).exists()));
    let again = lab.install().expect("a plan");
    assert!(!again.steps.iter().any(|step| matches!(step, Step::Write { .. } | Step::Remove(_))), "{again}");
    lab.put("state-abide.socket", "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n");
    let plan = lab.uninstall();
    assert_eq!(
        lab.perform(&plan),
        [
            "--user disable --now abide-upgrade.path abide-resume.service abide.socket",
            "--user stop abide.service"
        ],
        "a package's files are the package manager's"
    );
}

#[test]
fn files_of_others_are_neither_overwritten_nor_removed() {
    let lab = Lab::new();
    lab.put("home/.config/systemd/user/abide.service", "[Service]\nExecStart=/mine\n");
    let error = lab.install().expect_err("not ours");
    assert!(matches!(&error, InstallError::NotOurs(path) if path.ends_with("abide.service")), "{error}");
    lab.put("state-abide.socket", "LoadState=loaded\nActiveState=active\n");
    lab.perform(&lab.uninstall());
    assert!(lab.units().join("abide.service").exists());
}

#[test]
fn an_uninstallation_leaves_the_users_drop_ins_and_nothing_of_ours() {
    let lab = Lab::new();
    lab.perform(&lab.install().expect("a plan"));
    lab.put("home/.config/systemd/user/abide-session-.service.d/50-mine.conf", "[Service]\nMemoryHigh=1G\n");
    lab.put("state-abide.socket", "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\n");
    assert_eq!(
        lab.perform(&lab.uninstall()),
        [
            "--user disable --now abide-upgrade.path abide-resume.service abide.socket",
            "--user stop abide.service",
            "--user daemon-reload"
        ]
    );
    let left: Vec<_> =
        std::fs::read_dir(lab.units()).expect("kept").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["abide-session-.service.d"]);
    let dropins: Vec<_> = std::fs::read_dir(lab.units().join("abide-session-.service.d"))
        .expect("kept")
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(dropins, ["50-mine.conf"]);
    std::fs::remove_dir_all(lab.units()).expect("the user removes theirs");
    lab.put("state-abide.socket", "LoadState=not-found\nActiveState=inactive\nUnitFileState=\n");
    let plan = lab.uninstall();
    assert_eq!(plan.to_string(), "note: nothing is installed\n");
}

#[test]
fn folders_that_the_manager_does_not_know_are_told_to_the_service() {
    let lab = Lab::new();
    let mut paths = lab.paths();
    paths.state = "/big/state/abide".into();
    let plan = lab.place(&paths).plan_install(Path::new("/opt/abide/abided"), None).expect("a plan");
    lab.perform(&plan);
    let told = std::fs::read_to_string(lab.units().join(FOLDERS)).expect("a drop-in");
    assert!(told.ends_with("[Service]\nEnvironment=\"XDG_STATE_HOME=/big/state\"\n"), "{told}");
    lab.put("environment", &format!("HOME={}/home\nXDG_STATE_HOME=/big/state\n", lab.root.path().display()));
    lab.perform(&lab.place(&paths).plan_install(Path::new("/opt/abide/abided"), None).expect("a plan"));
    assert!(!lab.units().join(FOLDERS).exists(), "the manager knows by itself");
}

#[test]
fn a_manager_that_looks_elsewhere_is_an_error() {
    let lab = Lab::new();
    lab.put("folders", "/etc/systemd/user /usr/lib/systemd/user");
    let systemctl = Systemctl::in_folder(&lab.root.path().join("run"), &lab.root.path().join("programs"));
    let error = Place::at(&lab.paths(), systemctl, None).expect_err("nowhere to write");
    assert!(
        matches!(&error, InstallError::NoFolder(said) if said.starts_with("/etc/systemd/user")),
        "{error}"
    );
}

#[test]
fn lingering_is_changed_on_demand_only_and_never_taken_from_others() {
    let on = |on| Some(Step::Linger { on, user: "ada".into() });
    let is_note =
        |step: Option<Step>, part: &str| matches!(step, Some(Step::Note(text)) if text.contains(part));
    assert_eq!(
        Lab::new().last_step(None),
        Some(Step::Systemctl(vec!["stop", SERVICE])),
        "no logind, no word"
    );
    assert!(is_note(Lab::new().last_step(Some(true)), "no logind"));
    let lab = Lab::with_logind("no");
    assert!(is_note(lab.last_step(None), "--linger yes"));
    assert!(is_note(lab.last_step(Some(false)), "--linger yes"));
    assert_eq!(lab.last_step(Some(true)), on(true));
    let others = Lab::with_logind("yes");
    assert!(!is_note(others.last_step(None), "linger"));
    assert!(is_note(others.last_step(Some(false)), "not abide"));
    let uninstall = |lab: &Lab, wish| lab.place(&lab.paths()).plan_uninstall(wish).expect("a plan");
    assert!(uninstall(&others, Some(false)).changes_nothing(), "it is theirs");

    let plan =
        lab.place(&lab.paths()).plan_install(Path::new("/opt/abide/abided"), Some(true)).expect("a plan");
    assert!(plan.to_string().contains("enable-linger ada"), "{plan}");
    let told = lab.perform(&plan);
    assert_eq!(told.last().expect("told"), "loginctl --no-ask-password enable-linger -- ada");
    assert!(!is_note(lab.last_step(Some(true)), "linger"), "on already");
    assert_eq!(lab.last_step(Some(false)), on(false), "it was abide");
    assert!(uninstall(&lab, None).to_string().contains("abide uninstall --linger no"), "kept unless told to");
    let told = lab.perform(&uninstall(&lab, Some(false)));
    assert!(told.contains(&"loginctl --no-ask-password disable-linger -- ada".to_owned()), "{told:?}");
    assert!(!lab.paths().lingering_mark().exists(), "nothing to undo any more");
}

/// An administrator's policy may refuse, and a command's word for it is not enough.
#[test]
fn lingering_that_did_not_come_true_is_an_error() {
    for (obstacle, said) in [("refuses", "Access denied"), ("pretends", "nothing changed")] {
        let lab = Lab::with_logind("no");
        lab.put(obstacle, "");
        let plan = lab.place(&lab.paths()).plan_install(Path::new("/opt/abide/abided"), Some(true));
        let error = plan.expect("a plan").perform(&Answers::default(), |_| ()).expect_err("it is off");
        assert!(matches!(&error, InstallError::Linger { on: true, .. }), "{error}");
        assert!(error.to_string().contains(said) && error.to_string().contains("ada"), "{error}");
        assert!(!lab.paths().lingering_mark().exists(), "abide has not turned anything on");
        assert!(lab.units().join(SOCKET).exists(), "all else is done");
    }
}

/// Of users that are not logged in and do not linger logind knows nothing; its files do.
#[test]
fn lingering_is_read_from_its_files_where_logind_does_not_know_the_user() {
    let lab = Lab::with_logind("User ID 1000 is not logged in or lingering");
    assert!(matches!(lab.last_step(Some(true)), Some(Step::Linger { on: true, .. })));
    lab.put("linger/ada", "");
    assert!(!matches!(lab.last_step(Some(true)), Some(Step::Linger { .. })));
}
