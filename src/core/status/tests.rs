use super::*;
use crate::core::hook::{Happening, Report};
use crate::core::record::Instance;
use crate::core::text::Text;
use proptest::prelude::*;

fn record(agent: Option<&str>, argv: &[&str]) -> Record {
    let least = include_bytes!("../../../tests/data/v1/least.json");
    let mut record: Record = serde_json::from_slice(least).expect("fixture");
    record.agent = agent.map(str::to_owned);
    record.argv = argv.iter().map(|a| Text::from(*a)).collect();
    record.state = State::Working;
    record
}

/// By a first report alone, of an agent whose profile says nothing of how it shows itself.
fn first(record: &Record, signals: &Signals, alert: bool) -> Verdict {
    let mut evidence = Evidence::default();
    evidence.saw(signals, is_left(record, signals), &Signs::default(), 0);
    evidence.settle(0, false);
    judge(record, Some(signals), &evidence, alert, false, 0)
}

#[test]
fn what_is_shown_of_a_first_report() {
    use State::{Blocked, Done, Idle, Working};
    let quiet = Signals { offset: 1, ..Signals::default() };
    let active = Signals { active: true, ..quiet.clone() };
    let fg = |s: &Signals| Signals { leader_foreground: true, ..s.clone() };
    let mark = |m: u8, s: &Signals| Signals { prompt_mark: m, ..s.clone() };
    let says = |report: &str, s: &Signals| Signals { program: report.into(), ..s.clone() };
    let part = |s: &Signals| Signals { blocked: vec!["state=blocked:id=a".into()], ..s.clone() };
    let told = Signals { notification: "Approve?".into(), ..quiet.clone() };
    let (shell, command, agent) =
        (record(None, &["bash"]), record(None, &["make"]), record(Some("claude"), &["claude"]));
    let cases: [(&Record, Signals, bool, State); 29] = [
        (&shell, fg(&quiet), false, Idle),
        (&shell, fg(&active), false, Working),
        (&shell, quiet.clone(), false, Working),
        (&shell, fg(&mark(b'A', &active)), false, Idle),
        (&shell, fg(&mark(b'B', &quiet)), false, Idle),
        (&shell, fg(&mark(b'D', &quiet)), false, Idle),
        (&shell, fg(&mark(b'C', &quiet)), false, Working),
        (&shell, mark(b'B', &quiet), false, Working),
        (&shell, says("state=blocked", &quiet), false, Blocked),
        (&shell, says("state=working", &fg(&quiet)), false, Idle),
        (&shell, part(&fg(&quiet)), false, Idle),
        (&command, quiet.clone(), false, Working),
        (&command, fg(&quiet), false, Working),
        (&command, told.clone(), true, Working),
        (&command, mark(b'B', &quiet), false, Idle),
        (&command, mark(b'B', &active), false, Working),
        (&command, says("state=idle", &active), false, Idle),
        (&command, says("state=clear", &quiet), false, Working),
        (&agent, active.clone(), false, Working),
        (&agent, quiet.clone(), false, Idle),
        (&agent, quiet.clone(), true, Idle),
        (&agent, told.clone(), true, Blocked),
        (&agent, told.clone(), false, Idle),
        (&agent, Signals { active: true, ..told.clone() }, true, Working),
        (&agent, says("7501;state=done:app=codex", &active), false, Done),
        (&agent, says("state=error:msg=Ym9vbQ==", &quiet), false, Blocked),
        (&agent, says("state=dreaming", &quiet), false, Idle),
        (&agent, part(&says("state=working", &active)), false, Blocked),
        (&agent, says("gibberish", &quiet), false, Idle),
    ];
    for (record, signals, alert, state) in cases {
        let v = first(record, &signals, alert);
        assert_eq!(v.state, state, "{:?} {signals:?} {alert}: {v:?}", record.argv);
        assert_eq!(v.waiting_for.is_some(), state == Blocked, "{v:?}");
        assert_eq!(v.tempo == Tempo::Blocked, state == Blocked, "{v:?}");
        assert!(!v.evidence.is_empty() && !v.rule.is_empty());
    }
    assert_eq!(first(&agent, &Signals::default(), false).state, Working, "nothing written yet");
    assert_eq!(judge(&agent, None, &Evidence::default(), false, false, 0).state, Working);
}

/// One agent, told of step by step.
struct Scene {
    record: Record,
    signs: Signs,
    signals: Signals,
    evidence: Evidence,
    now: u64,
}

impl Scene {
    /// One whose titles do not tell blocked from idle, as some agents' do not.
    fn new() -> Self {
        let list = |starts: &[&str]| starts.iter().map(|s| (*s).to_owned()).collect::<Vec<String>>();
        let rule =
            |state, text: &str, what: &str| Rule { state, shows: list(&[text]), what: what.to_owned() };
        let titles = Titles { working: list(&["busy", "BUSY"]), blocked: Vec::new(), idle: list(&["calm"]) };
        let screen = vec![
            rule(Doing::Blocked, "Proceed?", "permission"),
            rule(Doing::Working, "esc to interrupt", ""),
            rule(Doing::Idle, "ready", ""),
        ];
        let mut scene = Self {
            record: record(Some("toy"), &["toy"]),
            signs: Signs { titles, screen, own: vec!["~/own".into()] },
            signals: Signals { active: true, offset: 1, ..Signals::default() },
            evidence: Evidence::default(),
            now: 10_000,
        };
        scene.reports();
        scene
    }

    fn reports(&mut self) {
        self.evidence.saw(&self.signals, is_left(&self.record, &self.signals), &self.signs, self.now);
    }

    fn title(&mut self, title: &str) {
        self.signals.title = title.to_owned();
        self.reports();
    }

    fn program(&mut self, report: &str) {
        self.signals.program = report.to_owned();
        self.reports();
    }

    fn typed(&mut self) {
        self.signals.inputs += 1;
        self.reports();
    }

    fn falls_silent(&mut self) {
        self.signals.active = false;
        self.reports();
    }

    fn hook_of(&mut self, agent: &str, conversation: &str, what: Happening, sub: bool) {
        let report = Report {
            agent: agent.to_owned(),
            session_id: conversation.to_owned(),
            cwd: Text::default(),
            what,
            of_sub_agent: sub,
        };
        self.evidence.told(&self.record, &report, From::default(), self.now);
    }

    fn hook(&mut self, what: Happening) {
        self.hook_of("toy", "one", what, false);
    }

    fn look(&mut self, screen: &str) -> bool {
        let lines = lines(screen.as_bytes());
        self.evidence.looked(Some(&lines), None, &self.signs, Instance::default(), self.now)
    }

    fn own(&mut self, status: &str) {
        let text = format!(r#"{{"pid":0,"procStart":0,"status":{status:?},"waitingFor":"an answer"}}"#);
        self.evidence.looked(None, Some(&text), &self.signs, Instance::default(), self.now);
    }

    fn wait(&mut self, ms: u64) {
        self.now += ms;
    }

    /// What is shown now.
    fn shows(&mut self) -> (State, Option<String>) {
        let can_look =
            self.signs.can_look() && self.record.agent.as_deref().or(self.evidence.agent()).is_some();
        self.evidence.settle(self.now, can_look);
        let v = judge(&self.record, Some(&self.signals), &self.evidence, false, can_look, self.now);
        (self.record.state, self.record.waiting_for) = (v.state, v.waiting_for.clone());
        self.record.detail = v.detail;
        (v.state, v.waiting_for)
    }

    #[track_caller]
    fn see(&mut self, state: State) {
        let shown = self.shows();
        assert_eq!(shown.0, state, "{:#?}", self.evidence);
    }
}

fn needs(what: &str) -> Happening {
    Happening::NeedsUser { what: what.to_owned() }
}

fn prompted() -> Happening {
    Happening::Prompted { prompt: "x".into() }
}

fn tool() -> Happening {
    Happening::Tool { tool: "Bash".into(), writes: Vec::new() }
}

fn tool_over() -> Happening {
    Happening::ToolOver { tool: "Bash".into() }
}

fn over() -> Happening {
    Happening::TurnOver { waits_for_own: false }
}

fn begins(source: &str) -> Happening {
    Happening::Begins { source: source.to_owned(), title: String::new() }
}

#[test]
fn hooks_tell_at_once() {
    let mut s = Scene::new();
    s.hook(prompted());
    s.see(State::Working);
    s.hook(tool());
    s.hook(needs("approve Bash: make"));
    assert_eq!(s.shows(), (State::Blocked, Some("approve Bash: make".into())));
    // Another tool of the same message, and the same prompt told again.
    s.hook(tool());
    s.wait(6_000);
    s.hook(needs("the agent needs your permission"));
    assert_eq!(s.shows(), (State::Blocked, Some("approve Bash: make".into())));
    s.typed();
    s.hook(tool_over());
    s.see(State::Working);
    s.hook(over());
    s.see(State::Done);
    // One that comes late.
    s.hook(tool_over());
    s.see(State::Done);
    s.hook(Happening::TurnFailed { error: "rate_limit".into() });
    assert_eq!(s.shows(), (State::Blocked, Some("an error: rate_limit".into())));
    s.hook(prompted());
    s.hook(Happening::TurnOver { waits_for_own: true });
    s.see(State::Working);
    s.hook(Happening::Moved);
    s.hook(begins("compact"));
    s.see(State::Working);
}

#[test]
fn a_program_that_tells_by_itself_is_believed_whatever_others_say() {
    let mut s = Scene::new();
    s.hook(prompted());
    s.program("state=idle");
    s.see(State::Idle);
    s.title("busy");
    s.hook(tool());
    s.wait(60_000);
    s.title("BUSY");
    s.see(State::Idle);
    s.program("state=blocked:kind=permission");
    s.hook(needs("approve Bash: make"));
    assert_eq!(s.shows(), (State::Blocked, Some("approve Bash: make".into())), "in the better words");
    s.program("state=blocked:kind=permission:msg=YXBwcm92ZSB0aGlz");
    assert_eq!(s.shows(), (State::Blocked, Some("approve this".into())));
    // It has nothing more to say: what the hooks had said before does not come back.
    s.program("state=clear");
    s.wait(2_000);
    s.falls_silent();
    s.look("ready");
    s.see(State::Idle);
}

#[test]
fn an_interrupted_turn_is_over_though_no_hook_tells_it() {
    // The title says that it no longer works, and what it does instead is looked for.
    let mut s = Scene::new();
    s.title("busy");
    s.hook(prompted());
    s.wait(5_000);
    s.typed();
    s.wait(200);
    s.title("calm");
    s.see(State::Working);
    s.wait(SETTLE_MS);
    s.look("ready");
    s.see(State::Working);
    s.wait(SETTLE_MS);
    s.look("ready");
    s.see(State::Idle);
    assert_eq!(s.evidence.overruled()[0].source, Source::Hook);
    // It stays so when the title moves on, and only a hook that comes then makes it work again.
    s.title("calm again");
    s.see(State::Idle);
    s.hook(prompted());
    s.see(State::Working);

    // Neither title nor rule: who was typed to and is silent was interrupted.
    let mut s = Scene::new();
    s.signs = Signs::default();
    s.hook(prompted());
    s.wait(5_000);
    s.falls_silent();
    assert_eq!(s.evidence.settle(s.now, false), None);
    s.see(State::Working);
    s.typed();
    s.signals.active = true;
    s.reports();
    s.wait(5_000);
    s.falls_silent();
    s.evidence.settle(s.now, false);
    s.signals.active = false;
    let v = judge(&s.record, Some(&s.signals), &s.evidence, false, false, s.now);
    assert_eq!(v.state, State::Idle);
}

#[test]
fn a_question_that_was_answered_is_over_though_no_hook_tells_it() {
    let mut s = Scene::new();
    s.title("busy");
    s.hook(prompted());
    s.title("calm");
    s.hook(needs("approve"));
    s.wait(9_000);
    s.falls_silent();
    s.look("Proceed?");
    s.see(State::Blocked);
    // Answered, and the tool runs for long: the title is what tells.
    s.typed();
    s.title("busy");
    s.see(State::Working);

    // With Escape: neither hook nor title; the screen does, once it is certain.
    let mut s = Scene::new();
    s.title("calm");
    s.hook(needs("approve"));
    s.wait(2_000);
    s.typed();
    s.wait(SETTLE_MS);
    assert!(s.look("ready"), "it still writes: looked at again");
    s.see(State::Blocked);
    s.wait(SETTLE_MS);
    assert!(!s.look("ready"));
    s.see(State::Idle);

    // Or its own file does, at once.
    let mut s = Scene::new();
    s.hook(needs("approve"));
    s.wait(2_000);
    s.typed();
    s.wait(SETTLE_MS);
    s.own("idle");
    s.see(State::Idle);
}

#[test]
fn a_title_that_flickers_changes_nothing_and_one_that_stays_does() {
    let mut s = Scene::new();
    s.title("busy");
    s.hook(prompted());
    s.wait(3_000);
    s.title("calm");
    s.wait(SETTLE_MS - 1);
    s.look("esc to interrupt");
    s.see(State::Working);
    s.title("busy");
    s.wait(9_000);
    s.see(State::Working);
    // The hook says done, and the title moves on as before: it is not done.
    s.hook(over());
    s.see(State::Done);
    for n in 0..8 {
        s.wait(250);
        s.title(if n % 2 == 0 { "BUSY" } else { "busy" });
    }
    s.see(State::Working);
}

#[test]
fn a_vague_title_is_told_apart_by_a_look() {
    let mut s = Scene::new();
    s.title("calm");
    s.wait(SETTLE_MS);
    s.see(State::Working);
    s.falls_silent();
    s.look("Proceed?");
    assert_eq!(s.shows(), (State::Blocked, Some("permission".into())));
    s.wait(100);
    s.title("busy");
    s.see(State::Working);
    s.title("calm");
    s.wait(SETTLE_MS);
    s.own("waiting");
    assert_eq!(s.shows(), (State::Blocked, Some("an answer".into())));
    s.wait(10);
    s.look("nothing that is known");
    s.see(State::Idle);
}

#[test]
fn typing_at_a_prompt_is_no_work() {
    let mut s = Scene::new();
    s.falls_silent();
    s.look("ready");
    s.see(State::Idle);
    s.typed();
    s.signals.active = true;
    s.reports();
    s.see(State::Idle);
    s.wait(SETTLE_MS);
    s.look("ready");
    s.see(State::Idle);
    s.wait(SETTLE_MS);
    s.look("esc to interrupt");
    s.see(State::Working);
}

#[test]
fn only_the_sessions_own_conversation_counts() {
    let mut s = Scene::new();
    s.hook(begins("startup"));
    s.hook(prompted());
    s.hook_of("other", "one", over(), false);
    s.hook_of("toy", "two", begins("startup"), false);
    s.hook_of("toy", "two", over(), false);
    s.see(State::Working);
    s.hook_of("toy", "one", needs("a"), true);
    s.see(State::Blocked);
    s.typed();
    s.hook_of("toy", "one", tool(), true);
    s.see(State::Working);
    s.hook_of("toy", "one", over(), true);
    s.see(State::Working);
    s.hook(over());
    s.hook_of("toy", "one", tool(), true);
    s.see(State::Done);
    // The next conversation, with and without the end of this one.
    s.hook(Happening::Ends { reason: "clear".into() });
    s.hook_of("toy", "three", begins("startup"), false);
    s.hook_of("toy", "three", prompted(), false);
    s.see(State::Working);
    s.hook_of("toy", "four", begins("clear"), false);
    s.hook_of("toy", "three", over(), false);
    s.hook_of("toy", "four", over(), false);
    s.see(State::Done);
    // One that was chosen before the start is known from the start.
    let mut s = Scene::new();
    s.record.session_id = Some("preset".into());
    s.hook_of("toy", "else", over(), false);
    s.see(State::Working);
    s.hook_of("toy", "preset", over(), false);
    s.see(State::Done);
}

#[test]
fn a_shell_that_is_back_has_left_behind_whatever_told() {
    let mut s = Scene::new();
    s.record = record(None, &["bash"]);
    s.hook(needs("approve"));
    s.program("state=working");
    s.see(State::Working);
    s.signals.leader_foreground = true;
    s.falls_silent();
    s.see(State::Idle);
    // Another program: what the one before had said is not said of it.
    s.signals.leader_foreground = false;
    s.reports();
    s.see(State::Working);
    assert_eq!(s.evidence.claims().count(), 0);
}

#[test]
fn the_next_supervisor_knows_what_nobody_tells_again() {
    let mut s = Scene::new();
    s.signs = Signs::default();
    s.hook(prompted());
    s.hook(needs("approve"));
    s.see(State::Blocked);
    let kept = s.evidence.kept().expect("told");
    let kept: Kept = serde_json::from_str(&serde_json::to_string(&kept).expect("JSON")).expect("the same");
    s.evidence = Evidence::of(Some(&kept), 0);
    s.now = 50;
    s.falls_silent();
    assert_eq!(s.shows(), (State::Blocked, Some("approve".into())));
    s.typed();
    s.hook_of("toy", "two", over(), false);
    s.see(State::Blocked);
    s.hook(tool_over());
    s.see(State::Working);
}

proptest! {
    #[test]
    fn no_report_breaks_it_or_reaches_a_terminal(
        program in any::<String>(), notification in any::<String>(), title in any::<String>(), told in any::<String>(),
        screen in prop::collection::vec(any::<u8>(), 0..300), own in any::<String>(), mark: u8, shell: bool, agent: bool,
    ) {
        let mut s = Scene::new();
        s.record = record(agent.then_some("toy"), if shell { &["sh"] } else { &["x"] });
        s.signs.titles.idle = vec![String::new()];
        s.signals = Signals { program, notification, title, prompt_mark: mark, ..Signals::default() };
        s.reports();
        s.hook(needs(&told));
        s.evidence.looked(Some(&lines(&screen)), Some(&own), &s.signs, Instance::default(), s.now);
        let v = judge(&s.record, Some(&s.signals), &s.evidence, true, true, s.now);
        let claims: String = s.evidence.claims().map(|(_, c)| format!("{}{}", c.what, c.says)).collect();
        let said = format!("{}{}{}{claims}", v.detail, v.waiting_for.unwrap_or_default(), v.evidence);
        prop_assert!(said.chars().all(crate::core::naming::is_printable), "{said:?}");
    }
}
