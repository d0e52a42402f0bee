//! Sessions from their start to their removal.

use super::raw::{Client, Daemon, spec};
use crate::support::{Home, until};
use abide::core::action::{ErrorKind, Reply, View};
use abide::core::event::Command;
use abide::core::record::State;
use std::path::Path;

fn state_of(client: &mut Client, id: &str, states: &[&str]) -> View {
    let states = states.iter().map(|s| (*s).to_owned()).collect();
    match client.get(Command::Wait { target: id.into(), states }) {
        Reply::Session { session } => *session,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_starts_ends_and_is_removed_without_a_trace() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let id = client.run(&["sh", "-c", "exit 3"]).record.id.to_string();
    let ended = state_of(&mut client, &id, &["failed"]);
    let exit = ended.record.exit.expect("an exit");
    assert_eq!((exit.code, exit.cause.as_str()), (Some(3), "own"));
    let removed = client.get(Command::Rm { targets: vec![id.clone()] });
    assert!(matches!(removed, Reply::Done { .. }), "{removed:?}");
    assert!(client.list().is_empty());
    let left: Vec<_> = walk(home.path()).into_iter().filter(|p| p.to_string_lossy().contains(&id)).collect();
    assert_eq!(left, Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_start_that_fails_is_an_answer_and_leaves_no_record() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let mut bad_cwd = spec(&["true"]);
    bad_cwd.cwd = "/nonexistent/folder".into();
    for (spec, says) in [(spec(&["no-such-command"]), "no-such-command"), (bad_cwd, "/nonexistent/folder")] {
        let Reply::Error { kind, message, .. } = client.try_run(spec, &[]) else { panic!("started") };
        assert!(kind == ErrorKind::Failed && message.contains(says), "{message}");
    }
    assert!(client.list().is_empty());
    // The answer does not wait for the disk.
    until("no folder", || (std::fs::read_dir(home.paths().jobs()).expect("jobs").count() == 0).then_some(()));
}

#[test]
fn values_of_the_environment_are_in_memory_only_and_gone_with_the_session() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let more = ["TOKEN=sesame-4711", "NOTIFY_SOCKET=/run/x", "TMUX=1", "TERM=dumb"];
    let argv = ["sh", "-c", "echo T=$TOKEN N=$NOTIFY_SOCKET- X=$TMUX- $TERM $ABIDE_SESSION; read x"];
    let Reply::Session { session } = client.try_run(spec(&argv), &more) else { panic!("not started") };
    let id = session.record.id.to_string();
    assert!(session.record.env_names.contains(&"TOKEN".to_owned()));
    let job = home.paths().job(&id);
    let expected = format!("T=sesame-4711 N=- X=- xterm-256color {id}");
    until("the session's output", || {
        std::fs::read_to_string(job.join("output.log")).ok().filter(|text| text.contains(&expected))
    });
    let orders = home.paths().orders().expect("usable").expect("in memory");
    for path in walk(&home.paths().state).iter().filter(|p| !p.starts_with(&job) || p.ends_with("state.json"))
    {
        let text = std::fs::read(path).expect("readable");
        assert!(!String::from_utf8_lossy(&text).contains("sesame"), "{}", path.display());
    }
    assert!(orders.join(&id).exists());
    client.get(Command::Stop { targets: vec![id.clone()], all: false, grace_ms: None });
    client.get(Command::Rm { targets: vec![id.clone()] });
    assert!(!orders.join(&id).exists(), "forgotten");
}

#[test]
fn a_respawn_has_the_environment_of_the_first_start() {
    let home = Home::new();
    let daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let argv = ["sh", "-c", "echo T=$TOKEN"];
    let Reply::Session { session } = client.try_run(spec(&argv), &["TOKEN=first"]) else {
        panic!("not started")
    };
    let id = session.record.id.to_string();
    state_of(&mut client, &id, &["done"]);
    // Also by a supervisor that never saw the client.
    daemon.crash();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let again = client.get(Command::Respawn { targets: vec![id.clone()], all: false });
    assert!(matches!(again, Reply::Done { .. } | Reply::Session { .. }), "{again:?}");
    let ended = state_of(&mut client, &id, &["done"]);
    assert!(ended.record.generation > session.record.generation);
    let job = home.paths().job(&id);
    let output: String = walk(&job)
        .iter()
        .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("output.0")))
        .map(|p| std::fs::read_to_string(p).expect("text"))
        .collect();
    assert_eq!(output.matches("T=first").count(), 2, "{output}");
}

#[test]
fn a_profile_of_the_users_own_is_used_and_its_mistakes_are_named() {
    let home = Home::new();
    let folder = home.paths().config.join("agents.d");
    std::fs::create_dir_all(&folder).expect("mkdir");
    let toy = "program = 'sh'\nstart = ['-c', 'echo \"<$1>\" id {id} $MODE; read x', 'sh']\nprompt = ['{prompt}']\n\
               resume = ['-c', 'echo resumed {id}', 'sh']\n[env]\nMODE = 'toy'\n";
    std::fs::write(folder.join("toy.toml"), toy).expect("written");
    std::fs::write(folder.join("broken.toml"), "program = 1").expect("written");
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    let with = |agent: &str| {
        let mut spec = spec(&[]);
        (spec.agent, spec.prompt) = (Some(agent.into()), Some("say {id} twice".into()));
        spec
    };
    for (agent, says) in
        [("broken", "profile broken"), ("missing", "no profile \"missing\""), ("../x", "no profile name")]
    {
        let Reply::Error { kind, message, .. } = client.try_run(with(agent), &[]) else { panic!("started") };
        assert!(kind == ErrorKind::Usage && message.contains(says), "{message}");
    }
    let Reply::Session { session } = client.try_run(with("toy"), &[]) else { panic!("not started") };
    let uuid = session.record.session_id.clone().expect("preset");
    let log = home.paths().job(&session.record.id.to_string()).join("output.log");
    until("what it was told", || {
        let text = std::fs::read_to_string(&log).ok()?;
        text.contains(&format!("<say {{id}} twice> id {uuid} toy")).then_some(())
    });
    assert!(!session.record.respawn_argv.iter().any(|arg| arg.to_string().contains("twice")));
}

#[test]
fn many_starts_at_once_all_come_to_pass() {
    let home = Home::new();
    let _daemon = Daemon::start(&home);
    let (mut client, _) = Client::connect(&home);
    for _ in 0..40 {
        client.ask(Command::Run(spec(&["true"])), Some(super::raw::context(&[]))).expect("asked");
    }
    for _ in 0..40 {
        let reply = client.answer().expect("answered").reply;
        assert!(matches!(reply, Reply::Session { .. }), "{reply:?}");
    }
    let ids: Vec<String> = client.list().iter().map(|v| v.record.id.to_string()).collect();
    assert_eq!(ids.len(), 40);
    for id in ids {
        assert_eq!(state_of(&mut client, &id, &["done"]).record.state, State::Done);
    }
}

fn walk(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut all = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return all };
    for path in entries.map(|e| e.expect("an entry").path()) {
        if path.is_dir() && !path.is_symlink() {
            all.extend(walk(&path));
        } else if path.is_file() {
            all.push(path);
        }
    }
    all
}
