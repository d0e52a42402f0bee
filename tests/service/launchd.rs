//! launchd's property lists, judged by a parser that is not ours (Python's) and by the keys of launchd.plist(5).

use crate::support::{run, source};
use abide::service::launchd::agent::{Filling, LABEL, UPGRADE_LABEL, is_marked, marked};
use abide::service::launchd::launchctl::Domain;
use serde_json::{Value, json};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What `launchd/` is filled in with: any user's.
fn example(domain: Domain) -> Filling {
    let home = Path::new("/Users/you");
    Filling {
        program: "/usr/local/bin/abided".into(),
        socket: home.join("Library/Application Support/abide/run/abide.sock"),
        errors: home.join("Library/Logs/abide/abided.stderr.log"),
        domain,
        environment: Vec::new(),
    }
}

/// What keys of a dictionary mean, by launchd.plist(5), as far as our lists could have them.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    /// A path: launchd expands neither `~` nor variables.
    Path,
    Number,
    Truth,
    Texts,
    Paths,
    OneOf(&'static [&'static str]),
    /// Any names, each with a text.
    Variables,
    Keys(&'static [(&'static str, Kind)]),
    /// Any names, each with such keys.
    Named(&'static [(&'static str, Kind)]),
}

const LIMITS: &[(&str, Kind)] = &[
    ("Core", Kind::Number),
    ("CPU", Kind::Number),
    ("Data", Kind::Number),
    ("FileSize", Kind::Number),
    ("MemoryLock", Kind::Number),
    ("NumberOfFiles", Kind::Number),
    ("NumberOfProcesses", Kind::Number),
    ("ResidentSetSize", Kind::Number),
    ("Stack", Kind::Number),
];

const SOCKET: &[(&str, Kind)] = &[
    ("SockType", Kind::OneOf(&["dgram", "stream", "seqpacket"])),
    ("SockPassive", Kind::Truth),
    ("SockFamily", Kind::OneOf(&["IPv4", "IPv6", "Unix"])),
    ("SockPathName", Kind::Path),
    ("SockPathMode", Kind::Number),
    ("SockPathOwner", Kind::Number),
    ("SockPathGroup", Kind::Number),
];

const JOB: &[(&str, Kind)] = &[
    ("Label", Kind::Text),
    ("Disabled", Kind::Truth),
    ("Program", Kind::Path),
    ("ProgramArguments", Kind::Texts),
    ("EnvironmentVariables", Kind::Variables),
    ("LimitLoadToSessionType", Kind::OneOf(&["Aqua", "Background", "LoginWindow", "StandardIO", "System"])),
    ("KeepAlive", Kind::Truth),
    ("RunAtLoad", Kind::Truth),
    ("WorkingDirectory", Kind::Path),
    ("Umask", Kind::Number),
    ("ExitTimeOut", Kind::Number),
    ("ThrottleInterval", Kind::Number),
    ("WatchPaths", Kind::Paths),
    ("StartInterval", Kind::Number),
    ("StandardOutPath", Kind::Path),
    ("StandardErrorPath", Kind::Path),
    ("SoftResourceLimits", Kind::Keys(LIMITS)),
    ("HardResourceLimits", Kind::Keys(LIMITS)),
    ("Nice", Kind::Number),
    ("ProcessType", Kind::OneOf(&["Background", "Standard", "Adaptive", "Interactive"])),
    ("AbandonProcessGroup", Kind::Truth),
    ("Sockets", Kind::Named(SOCKET)),
    ("SessionCreate", Kind::Truth),
];

/// What launchd would not understand of a value, each with where it is.
fn faults(at: &str, value: &Value, kind: Kind) -> Vec<String> {
    let is_path = |v: &Value| v.as_str().is_some_and(|p| p.starts_with('/') && !p.contains(['~', '$']));
    let all = |each: &dyn Fn(&Value) -> bool| value.as_array().is_some_and(|list| list.iter().all(each));
    let right = match kind {
        Kind::Text => value.is_string(),
        Kind::Path => is_path(value),
        Kind::Number => value.is_u64(),
        Kind::Truth => value.is_boolean(),
        Kind::Texts => all(&Value::is_string),
        Kind::Paths => all(&is_path),
        Kind::OneOf(words) => value.as_str().is_some_and(|word| words.contains(&word)),
        Kind::Variables => value.as_object().is_some_and(|pairs| pairs.values().all(Value::is_string)),
        Kind::Keys(_) | Kind::Named(_) => value.is_object(),
    };
    if !right {
        return vec![format!("{at}: {value} is no {kind:?}")];
    }
    let entries = value.as_object().into_iter().flatten();
    match kind {
        Kind::Keys(known) => entries
            .flat_map(|(key, value)| match known.iter().find(|(name, _)| name == key) {
                Some((_, kind)) => faults(&format!("{at}.{key}"), value, *kind),
                None => vec![format!("{at}.{key}: no such key")],
            })
            .collect(),
        Kind::Named(known) => entries
            .flat_map(|(name, value)| faults(&format!("{at}.{name}"), value, Kind::Keys(known)))
            .collect(),
        _ => Vec::new(),
    }
}

/// Property lists, as Python reads them; none, with a word on standard error, where there is no Python.
fn parsed(files: &[PathBuf]) -> Option<Vec<Value>> {
    let found = Command::new("python3").arg("--version").output();
    if found.is_err() && std::env::var_os("ABIDE_CI").is_none() {
        std::io::stderr().write_all(b"SKIPPED, no python3 here: the property lists' form\n").expect("stderr");
        return None;
    }
    let program = "import json, plistlib, sys\n\
                   print(json.dumps([plistlib.load(open(f, 'rb')) for f in sys.argv[1:]]))";
    let said = run(Command::new("python3").args(["-c", program]).args(files)).json();
    Some(said.as_array().expect("an array").clone())
}

#[test]
fn the_kept_property_lists_are_what_is_generated() {
    let fresh = Path::new(env!("CARGO_TARGET_TMPDIR")).join("launchd");
    std::fs::create_dir_all(&fresh).expect("folder");
    let jobs = example(Domain::Gui(501)).render().expect("writable");
    let names: Vec<_> = jobs.iter().map(|(label, _)| format!("{label}.plist")).collect();
    for (name, (_, text)) in names.iter().zip(&jobs) {
        std::fs::write(fresh.join(name), text).expect("write");
    }
    for (name, (_, text)) in names.iter().zip(&jobs) {
        let kept = std::fs::read_to_string(source().join("launchd").join(name)).unwrap_or_default();
        assert!(
            kept == *text,
            "{name} is not what would be generated: cp {}/*.plist launchd/",
            fresh.display()
        );
    }
    let kept = std::fs::read_dir(source().join("launchd")).expect("launchd/");
    let mut kept: Vec<_> =
        kept.map(|e| e.expect("entry").file_name().into_string().expect("UTF-8")).collect();
    kept.sort();
    assert_eq!(kept, names);
}

#[test]
fn another_parser_reads_keys_that_launchd_knows_with_values_that_it_takes() {
    let folder = tempfile::tempdir().expect("folder");
    let mut filling = example(Domain::User(501));
    // What XML has to escape, and more than one variable.
    filling.program = "/opt/a & <b>/é \"c\"/abided".into();
    filling.environment = ["XDG_STATE_HOME", "XDG_CONFIG_HOME"].map(|name| (name, "/big".into())).to_vec();
    let mut files = Vec::new();
    for (label, text) in filling.render().expect("writable") {
        assert!(!is_marked(&text));
        let text = marked(&text);
        assert!(is_marked(&text));
        files.push(folder.path().join(format!("{label}.plist")));
        std::fs::write(&files[files.len() - 1], text).expect("write");
    }
    let Some(jobs) = parsed(&files) else { return };
    for job in &jobs {
        assert_eq!(faults("", job, Kind::Keys(JOB)), Vec::<String>::new());
        assert_eq!(job["LimitLoadToSessionType"], "Background");
    }
    let [agent, upgrade] = &jobs[..] else { panic!("{jobs:?}") };
    assert_eq!(agent["Label"], LABEL);
    assert_eq!(agent["ProgramArguments"], json!([filling.program]));
    let socket = &agent["Sockets"]["control"];
    assert_eq!((&socket["SockPathMode"], &socket["SockPathName"]), (&json!(0o600), &json!(filling.socket)));
    assert_eq!(agent["EnvironmentVariables"], json!({"XDG_STATE_HOME": "/big", "XDG_CONFIG_HOME": "/big"}));
    assert_eq!((&agent["ProcessType"], &agent["AbandonProcessGroup"]), (&json!("Interactive"), &json!(true)));
    for absent in ["KeepAlive", "RunAtLoad", "SessionCreate", "EnableTransactions"] {
        assert_eq!(agent.get(absent), None, "{absent}");
    }
    assert_eq!(upgrade["Label"], UPGRADE_LABEL);
    assert_eq!(upgrade["WatchPaths"], json!([filling.program]));
    assert_eq!(
        upgrade["ProgramArguments"],
        json!(["/bin/launchctl", "kill", "SIGHUP", "user/501/local.abide"])
    );
}

#[test]
fn a_key_or_a_value_that_launchd_would_not_understand_is_found() {
    let of = |value: Value| faults("", &value, Kind::Keys(JOB));
    assert_eq!(of(json!({"ProgramArgument": ["/x"]})), [".ProgramArgument: no such key"]);
    assert_eq!(
        of(json!({"Sockets": {"control": {"SockMode": 384}}})),
        [".Sockets.control.SockMode: no such key"]
    );
    for wrong in [
        json!({"AbandonProcessGroup": "yes"}),
        json!({"StandardErrorPath": "~/Library/Logs/x"}),
        json!({"WatchPaths": "/x"}),
        json!({"Sockets": {"control": {"SockPathMode": "0600"}}}),
        json!({"ProcessType": "Fast"}),
        json!({"ThrottleInterval": -1}),
    ] {
        assert_eq!(of(wrong.clone()).len(), 1, "{wrong}");
    }
}

#[test]
fn a_path_that_no_property_list_can_have_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    for bad in [&b"/a\nb"[..], b"/a\x1b", b"/\xff"] {
        let path = PathBuf::from(std::ffi::OsStr::from_bytes(bad));
        for filling in [
            Filling { program: path.clone(), ..example(Domain::Gui(1)) },
            Filling { socket: path.clone(), ..example(Domain::Gui(1)) },
            Filling { errors: path.clone(), ..example(Domain::Gui(1)) },
            Filling { environment: vec![("XDG_STATE_HOME", path.clone())], ..example(Domain::Gui(1)) },
        ] {
            let error = filling.render().expect_err("unwritable");
            assert!(error.to_string().contains("cannot be written"), "{error}");
        }
    }
}
