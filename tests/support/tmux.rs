//! tmux as a second opinion: a real terminal that answers queries, and the twin that was never detached.

use super::{Home, PATIENCE, process};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

/// A tmux server of a test's own, with one window of fixed size.
pub(crate) struct Tmux {
    command: Box<dyn Fn() -> Command>,
    watcher: Child,
    news: mpsc::Receiver<()>,
}

impl Tmux {
    /// Starts `program` in a window of this size. `None` where there is no tmux on this machine.
    pub(crate) fn start(home: &Home, program: &Command, (cols, rows): (u16, u16)) -> Option<Self> {
        let socket = home.path().join(format!("tmux-{}", unique()));
        let mut line = vec![program.get_program().to_owned()];
        line.extend(program.get_args().map(ToOwned::to_owned));
        let mut start = home.command("tmux");
        start.envs(program.get_envs().filter_map(|(n, v)| Some((n, v?))));
        start.arg("-S").arg(&socket).args(["-f", "/dev/null", "new-session", "-d"]);
        start.args(["-x", &cols.to_string(), "-y", &rows.to_string()]).args(line);
        start.args([";", "set", "-g", "window-size", "manual"]);
        start.args([";", "set", "-g", "status", "off", ";", "set", "-s", "escape-time", "0"]);
        start.args([";", "set", "-g", "remain-on-exit", "on"]);
        start.args([";", "resize-window", "-x", &cols.to_string(), "-y", &rows.to_string()]);
        match start.stdin(Stdio::null()).output() {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return None,
            Err(e) => panic!("tmux: {e}"),
            Ok(done) => assert!(done.status.success(), "tmux: {}", String::from_utf8_lossy(&done.stderr)),
        }
        let environment = home.command("tmux");
        let env: Vec<_> =
            environment.get_envs().filter_map(|(n, v)| Some((n.to_owned(), v?.to_owned()))).collect();
        let command = move || {
            let mut command = Command::new("tmux");
            command.env_clear().envs(env.clone()).arg("-S").arg(&socket);
            command
        };
        // A client in control mode is told of every output, so nothing has to be asked for again and again.
        let mut watcher = command();
        watcher.args(["-C", "attach", "-f", "no-output,ignore-size"]).stdin(Stdio::piped());
        watcher.args([";", "refresh-client", "-f", "!no-output"]);
        let mut watcher = watcher.stdout(Stdio::piped()).spawn().expect("tmux -C");
        let lines = BufReader::new(watcher.stdout.take().expect("piped"));
        let (send, news) = mpsc::channel();
        std::thread::spawn(move || lines.split(b'\n').map_while(Result::ok).try_for_each(|_| send.send(())));
        Some(Self { command: Box::new(command), watcher, news })
    }

    /// Runs one tmux command; its output.
    pub(crate) fn tmux(&self, args: &[&str]) -> String {
        process::run((self.command)().args(args)).ok().to_owned()
    }

    /// Types text as it is.
    pub(crate) fn send(&self, text: &str) {
        self.tmux(&["send-keys", "-l", text]);
    }

    /// Presses keys by tmux's names (`Enter`, `C-b`, `Up`).
    pub(crate) fn keys(&self, keys: &[&str]) {
        let mut args = vec!["send-keys"];
        args.extend(keys);
        self.tmux(&args);
    }

    /// Changes the window's size.
    pub(crate) fn resize(&self, cols: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &cols.to_string(), "-y", &rows.to_string()]);
    }

    /// Waits until the program in the window has ended. tmux itself may take its time to notice.
    pub(crate) fn ended(&self) {
        let pid = self.tmux(&["display-message", "-p", "#{pane_pid}"]);
        process::ended(pid.trim().parse().expect("a process id"));
    }

    /// The screen, as text.
    pub(crate) fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// The screen with its attributes as escape sequences, every cell of it.
    pub(crate) fn cells(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e", "-N"])
    }

    /// Waits until the screen is as asked.
    #[track_caller]
    pub(crate) fn until<T>(&self, what: &str, mut ask: impl FnMut(&str) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            while self.news.try_recv().is_ok() {}
            let screen = self.screen();
            if let Some(answer) = ask(&screen) {
                return answer;
            }
            let left = PATIENCE.saturating_sub(start.elapsed());
            assert!(!left.is_zero(), "{what}: it never came; the screen is\n{screen}");
            match self.news.recv_timeout(left) {
                Ok(()) | Err(mpsc::RecvTimeoutError::Timeout) => {}
                Err(mpsc::RecvTimeoutError::Disconnected) => {
                    panic!("{what}: tmux is gone; it showed\n{screen}")
                }
            }
        }
    }

    /// Waits until these two are as asked, whichever of them comes to be so last.
    #[track_caller]
    pub(crate) fn until_both(&self, other: &Self, what: &str, mut ask: impl FnMut() -> Result<(), String>) {
        let start = Instant::now();
        while let Err(difference) = ask() {
            assert!(start.elapsed() < PATIENCE, "{what}: {difference}");
            for terminal in [self, other] {
                // News of the one must not wait for the other's.
                _ = terminal.news.recv_timeout(PATIENCE / 600);
                while terminal.news.try_recv().is_ok() {}
            }
        }
    }

    /// Waits until the screen shows this text.
    #[track_caller]
    pub(crate) fn see(&self, text: &str) {
        self.until(text, |screen| screen.contains(text).then_some(()));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        // The server may be gone with its last window; nothing is lost then.
        _ = (self.command)().arg("kill-server").stderr(Stdio::null()).status();
        _ = self.watcher.wait();
    }
}

/// A number that no other call in this process got.
fn unique() -> usize {
    static NEXT: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
}

#[test]
fn tmux_shows_what_its_program_draws_and_types_to_it() {
    let home = Home::new();
    let mut program = home.command("sh");
    program.args(["-c", "echo ready; read x; printf '\\033[1mgot <%s>\\033[m\\n' \"$x\"; stty size; cat"]);
    let Some(tmux) = Tmux::start(&home, &program, (70, 12)) else { return };
    tmux.see("ready");
    tmux.send("hello");
    tmux.keys(&["Enter"]);
    tmux.see("got <hello>");
    tmux.see("12 70");
    assert!(tmux.cells().contains("\u{1b}[1mgot"), "{:?}", tmux.cells());
}
