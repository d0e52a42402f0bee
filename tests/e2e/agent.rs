//! A real agent CLI, offline: its model is a server of the test's.
//!
//! `ABIDE_TEST_CLAUDE` names the program; `.ci/run --slow` fetches one.

use crate::support::{Home, Model, until};

/// Ctrl-\, d
const DETACH: &str = "\x1cd";

#[test]
#[ignore = "needs Claude Code in ABIDE_TEST_CLAUDE: .ci/run --slow fetches and runs it"]
fn an_agent_works_unattended_and_takes_a_second_prompt() {
    let claude = std::env::var_os("ABIDE_TEST_CLAUDE").expect("ABIDE_TEST_CLAUDE names the program");
    let mut home = Home::on_disk();
    let folder = home.path().join("user/project");
    std::fs::create_dir(&folder).expect("a folder");
    let programs = home.path().join("user/programs");
    std::fs::create_dir(&programs).expect("a folder");
    std::os::unix::fs::symlink(claude, programs.join("claude")).expect("a link");
    let path = std::env::var("PATH").expect("PATH");
    home.set("PATH", format!("{}:{path}", programs.display()));
    let model = Model::new("the answer is forty-two");
    let key = "sk-ant-none-0123456789abcdefghij";
    home.set("ANTHROPIC_BASE_URL", model.url());
    home.set("ANTHROPIC_API_KEY", key);
    for name in [
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "DISABLE_TELEMETRY",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_AUTOUPDATER",
    ] {
        home.set(name, "1");
    }
    // Questions of a first start are answered beforehand.
    let settings = serde_json::json!({
        "hasCompletedOnboarding": true,
        "theme": "dark",
        "customApiKeyResponses": {"approved": [&key[key.len() - 20..]], "rejected": []},
        "projects": {folder.to_str().expect("UTF-8"): {"hasTrustDialogAccepted": true}},
    });
    std::fs::write(home.path().join("user/.claude.json"), settings.to_string()).expect("settings");

    let mut run =
        home.abide_command(["run", "--json", "what is the answer?", "--", "--permission-mode", "manual"]);
    let id = crate::support::run(run.current_dir(&folder)).json()["id"].as_str().expect("an id").to_owned();
    let shows = |text: &str, times: usize| {
        until(text, || {
            let screen = home.abide(["peek", &id]);
            // Where it never comes, the last of these tells why.
            println!("{screen}");
            (screen.ok().matches(text).count() >= times).then_some(())
        });
    };
    shows("forty-two", 1);
    // It told by itself that its turn is over: nothing else does.
    home.abide(["wait", &id, "--timeout", "50s"]).ok();
    let why = home.abide(["why", &id]);
    assert!(why.ok().contains("7501"), "{why}");

    home.kill_supervisor();
    let before = home.abide(["peek", &id]).ok().matches("forty-two").count();
    home.abide(["send", &id, "and again?"]).ok();
    shows("and again?", 1);
    shows("forty-two", before + 1);

    let tty = home.tty(["attach", "--quiet", &id], (100, 30));
    tty.see("forty-two");
    tty.send(DETACH);
    tty.ok();
    home.abide(["stop", &id]).ok();
    let session = home.list().remove(0);
    assert_eq!((&session["state"], &session["abide"]["agent"]), (&"stopped".into(), &"claude".into()));
}
