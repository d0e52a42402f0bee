//! What commands print: lines, tables that fit the terminal, JSON.
//!
//! # The list as JSON
//! `abide ls --json` is one array. A session's fields, which other tools know from agent CLIs; one that does not
//! apply is left out:
//!
//! | Field | Value |
//! |---|---|
//! | `id` | eight hex digits |
//! | `sessionId` | the agent's own conversation id |
//! | `name` | |
//! | `cwd` | working directory |
//! | `pid` | of the session's process, while it has one |
//! | `kind` | `background`, or `interactive` for somebody's own terminal |
//! | `state` | `working`, `blocked`, `done`, `failed`, `stopped` |
//! | `status` | while it has a process: `busy`, `waiting` (for the user), `idle` |
//! | `waitingFor` | what for, while `blocked` |
//! | `startedAt` | ms since the Unix epoch |
//! | `abide` | our finer values: see [`Details`] |
//!
//! Fields are only ever added.

use super::text::{clean, fit};
use super::usage;
use crate::core::action::View;
use crate::core::id::SessionId;
use crate::core::record::{Exit, Kind, NameSource, Origin, Record, Restart, SpawnedBy, State, Tempo};
use crate::core::text::Text;
use crate::sys::usage::Usage;
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use unicode_width::UnicodeWidthStr;

/// Standard output, and whether it is a terminal and wants colours.
#[derive(Debug)]
pub(crate) struct Out {
    colours: bool,
    /// Columns; none where it is no terminal: then nothing is cut.
    pub(crate) width: Option<usize>,
    stdout: io::Stdout,
}

impl Out {
    /// Of this process. `NO_COLOR`, `CLICOLOR` and `CLICOLOR_FORCE` are honoured.
    pub(crate) fn of_this_process() -> Self {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let colours = match anstream::AutoStream::choice(&stdout) {
            anstream::ColorChoice::Never => false,
            anstream::ColorChoice::Auto => terminal,
            anstream::ColorChoice::Always | anstream::ColorChoice::AlwaysAnsi => true,
        };
        let width = terminal
            .then(|| crate::sys::terminal::size(stdout.as_fd()).map_or(80, |(cols, _)| usize::from(cols)));
        Self { colours, width, stdout }
    }

    /// Standard output is a terminal.
    pub(crate) fn is_terminal(&self) -> bool {
        self.width.is_some()
    }

    /// Colours are wanted.
    pub(crate) fn has_colours(&self) -> bool {
        self.colours
    }

    /// A line.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        let mut out = self.stdout.lock();
        out.write_all(text.as_bytes())?;
        out.write_all(b"\n")
    }

    /// Bytes as they are, at once.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.stdout.lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// A value as JSON on a line of its own (over several where a person looks).
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        let text = if self.is_terminal() {
            serde_json::to_string_pretty(value)
        } else {
            serde_json::to_string(value)
        };
        self.line(&text.map_err(io::Error::other)?)
    }

    /// In colour, where that is wanted.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colours && !text.is_empty() { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A table; the last column gives way first, and then `gives_way`.
    ///
    /// # Errors
    /// It cannot be written.
    pub(crate) fn table(&mut self, head: &[&str], rows: &[Vec<Cell>], gives_way: &[usize]) -> io::Result<()> {
        let widths = widths(head, rows, self.width, gives_way);
        let mut text = String::new();
        let head: Vec<Cell> = head.iter().map(|h| Cell::styled(*h, Style::new().dimmed())).collect();
        for row in std::iter::once(&head).chain(rows) {
            let mut line = String::new();
            let last = row.len().saturating_sub(1);
            for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
                let shown = fit(&cell.text, width);
                let space = if i == last { 0 } else { width - shown.width() + 2 };
                line.push_str(&self.paint(cell.style, &shown));
                line.push_str(&" ".repeat(space));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        self.bytes(text.as_bytes())
    }
}

/// One place of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// Text that came from anywhere; it is cleaned here.
    pub(crate) fn styled(text: impl AsRef<str>, style: Style) -> Self {
        Self { text: clean(text.as_ref()), style }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::styled(text, Style::new())
    }
}

/// Columns' widths that fit `room`: what is too much is taken from the last column, then from those that give way,
/// but none gets narrower than its head or eight columns.
fn widths(head: &[&str], rows: &[Vec<Cell>], room: Option<usize>, gives_way: &[usize]) -> Vec<usize> {
    let mut widths: Vec<usize> = head.iter().map(|h| h.width()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.text.width());
        }
    }
    if let Some(room) = room {
        let mut wanted = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        let last = widths.len().saturating_sub(1);
        for &i in std::iter::once(&last).chain(gives_way) {
            let Some(width) = widths.get_mut(i) else { continue };
            let least = head.get(i).map_or(0, |h| h.width()).max(8).min(*width);
            let given = wanted.saturating_sub(room).min(*width - least);
            *width -= given;
            wanted -= given;
        }
    }
    widths
}

/// How a state looks.
pub(crate) fn style_of(state: State) -> Style {
    let colour = match state {
        State::Working | State::Starting => AnsiColor::Cyan,
        State::Blocked => AnsiColor::Yellow,
        State::Done => AnsiColor::Green,
        State::Failed => AnsiColor::Red,
        State::Queued | State::Idle | State::Stopped | State::Parked => return Style::new().dimmed(),
    };
    Style::new().fg_color(Some(colour.into()))
}

/// A state's name, as in files and lists.
pub(crate) fn name_of(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::Starting => "starting",
        State::Working => "working",
        State::Blocked => "blocked",
        State::Idle => "idle",
        State::Done => "done",
        State::Failed => "failed",
        State::Stopped => "stopped",
        State::Parked => "parked",
    }
}

/// All states, in the order in which they are explained.
pub(crate) const STATES: [State; 9] = [
    State::Queued,
    State::Starting,
    State::Working,
    State::Blocked,
    State::Idle,
    State::Done,
    State::Failed,
    State::Stopped,
    State::Parked,
];

/// A session of the list; see the module.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Listed<'a> {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a str>,
    name: &'a str,
    cwd: &'a Text,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    kind: &'static str,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_for: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    started_at: Option<u64>,
    abide: Details<'a>,
}

/// The finer values of a session. Times are ms since the Unix epoch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details<'a> {
    /// `queued starting working blocked idle done failed stopped parked`.
    state: State,
    /// `active idle blocked`.
    tempo: Tempo,
    /// Profile; none for a plain command.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<&'a str>,
    /// What was executed.
    argv: &'a [Text],
    /// What it was asked to do.
    #[serde(skip_serializing_if = "str::is_empty")]
    intent: &'a str,
    /// What it does now.
    #[serde(skip_serializing_if = "str::is_empty")]
    detail: &'a str,
    /// Its window title.
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    name_source: NameSource,
    /// Somebody who may type is attached.
    attended: bool,
    pinned: bool,
    /// Its agent's program was replaced since it was started.
    outdated: bool,
    /// `never manual auto`.
    restart: Restart,
    /// When it is restarted by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    restart_at: Option<u64>,
    origin: Origin,
    spawned_by: &'a SpawnedBy,
    /// The session that it was dispatched from inside of.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<SessionId>,
    /// Counts its starts and stops.
    generation: u64,
    /// Process of its host.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_pid: Option<u32>,
    created_at: u64,
    updated_at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<u64>,
    /// How its last process ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit: Option<&'a Exit>,
    /// Bytes that it wrote, and of these such that could not be logged.
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Output>,
    /// What it uses, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<usage::Shown>,
}

/// See [`Details::output`].
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Output {
    offset: u64,
    unlogged: u64,
}

impl<'a> From<&'a View> for Listed<'a> {
    fn from(view: &'a View) -> Self {
        let r = &view.record;
        let some = |n: u64| (n > 0).then_some(n);
        let output = view
            .signals
            .as_ref()
            .map(|s| Output { offset: s.offset, unlogged: s.unlogged })
            .or_else(|| r.exit.as_ref().map(|e| Output { offset: e.offset, unlogged: e.unlogged }));
        Self {
            id: r.id.to_string(),
            session_id: r.session_id.as_deref(),
            name: &r.name,
            cwd: &r.cwd,
            pid: pid(r),
            kind: match r.kind {
                Kind::Interactive => "interactive",
                Kind::Bg | Kind::Daemon | Kind::DaemonWorker => "background",
            },
            state: match r.state {
                State::Queued | State::Starting | State::Working => "working",
                State::Blocked => "blocked",
                State::Idle | State::Done => "done",
                State::Failed => "failed",
                State::Stopped | State::Parked => "stopped",
            },
            status: r.host.as_ref().map(|_| match r.state {
                State::Queued | State::Starting | State::Working => "busy",
                State::Blocked => "waiting",
                State::Idle | State::Done | State::Failed | State::Stopped | State::Parked => "idle",
            }),
            waiting_for: r.waiting_for.as_deref(),
            started_at: some(r.times.started_ms).or(some(r.times.created_ms)),
            abide: Details {
                state: r.state,
                tempo: r.tempo,
                agent: r.agent.as_deref(),
                argv: &r.argv,
                intent: &r.intent,
                detail: &r.detail,
                title: view.signals.as_ref().map(|s| s.title.as_str()).filter(|t| !t.is_empty()),
                name_source: r.name_source,
                attended: view.attended,
                pinned: r.pinned,
                outdated: view.outdated,
                restart: r.restart,
                restart_at: (r.due_ms > 0).then_some(r.due_ms),
                origin: r.origin,
                spawned_by: &r.spawned_by,
                parent: r.parent,
                generation: r.generation,
                host_pid: r.host.as_ref().map(|h| h.pid).filter(|p| *p > 0),
                created_at: r.times.created_ms,
                updated_at: r.times.updated_ms,
                ended_at: r.exit.as_ref().and_then(|e| some(e.ended_ms)),
                exit: r.exit.as_ref(),
                output,
                usage: None,
            },
        }
    }
}

impl Listed<'_> {
    /// With what it uses.
    pub(crate) fn using(mut self, usage: Option<Usage>) -> Self {
        self.abide.usage = usage.map(usage::Shown::from);
        self
    }
}

/// Process of a session, while it has one.
pub(crate) fn pid(record: &Record) -> Option<u32> {
    record.host.as_ref().map(|h| h.child_pid).filter(|p| *p > 0)
}
