//! `abide logs`

use crate::cli::context::{Cx, Target};
use crate::cli::error::CliError;
use crate::cli::remark;
use crate::cli::text::bytes;
use crate::client::host::{HostError, HostLink};
use crate::client::log::{self, LogReader, Piece};
use crate::client::printer::{Mode, Printer};
use crate::wire::host::{Reply, Request};
use regex_lite::Regex;

/// Show a session's output, also of one that has ended.
///
/// On a terminal, colours are kept and everything else that a terminal would act on is left out, so that no output can
/// disturb it; elsewhere the bytes come as they were written (--raw does that on a terminal too). Bytes are numbered
/// over the whole life of a session. Such as are no longer there, or could never be written because of a full disk,
/// are told on standard error.
///
/// With --json, an object a line: {"offset", "next", "text"} for each line of output, {"offset", "next", "gap"} for
/// bytes that are missing, and at the end {"next"} alone. `next` is what --since takes to go on.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  abide logs 7c5d -n 20             the last lines
  abide logs -f docs                what is there, and what comes, until it ends
  abide logs 7c5d --plain --grep 'error|warning'
  abide logs 7c5d --since 48211 --offsets > part     tells on standard error where to go on
  abide logs 7c5d > session.raw     every byte; `cat` on a terminal replays it")]
pub(crate) struct Args {
    /// Its id, the start of it, or its name
    #[arg(value_name = "ID")]
    session: String,
    /// Stay, and print what comes, until the session ends
    #[arg(short, long)]
    follow: bool,
    /// From this byte on
    #[arg(long, value_name = "N")]
    since: Option<u64>,
    /// So many of the last lines
    #[arg(short = 'n', long, value_name = "N", conflicts_with = "since")]
    lines: Option<u64>,
    /// Without escape sequences; lines that were overwritten, as progress bars are, as they were in the end
    #[arg(long, conflicts_with = "raw")]
    plain: bool,
    /// Only lines in which this regular expression is found
    #[arg(long, value_name = "RE", value_parser = Regex::new)]
    grep: Option<Regex>,
    /// Every byte as it was written, to a terminal too
    #[arg(long, conflicts_with_all = ["grep", "json"])]
    raw: bool,
    /// At the end, tell on standard error where to go on
    #[arg(long)]
    offsets: bool,
    /// As JSON, an object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(cx: &mut Cx, args: &Args) -> Result<(), CliError> {
    let target = cx.target(&args.session)?;
    let mode = if args.json {
        Mode::Json
    } else if args.plain {
        Mode::Plain
    } else if args.raw || (!cx.out.is_terminal() && args.grep.is_none()) {
        Mode::Raw
    } else if cx.out.has_colours() {
        Mode::Harmless
    } else if cx.out.is_terminal() {
        Mode::Plain
    } else {
        Mode::RawLines
    };
    let folder = cx.paths.job(&target.id);
    let known = log::range(&folder).map_err(|e| unreadable(&target, &e))?;
    let (first, end) = known.unwrap_or((0, 0));
    let from = match (args.since, args.lines) {
        (Some(since), _) => {
            // Of a live session the host may know of bytes that the folder did not show yet.
            if since > end && !args.follow && cx.host(&target)?.is_none() {
                return Err(CliError::usage(format!(
                    "--since {since}: the output of {} ends at {end}",
                    target.label()
                )));
            }
            since
        }
        (None, Some(lines)) => log::last_lines(&folder, end, lines).map_err(|e| unreadable(&target, &e))?,
        // What went long ago is no news to who asks for all that is there.
        (None, None) => first,
    };
    let mut job =
        Job { printer: Printer::new(mode, args.grep.clone()), reader: LogReader::new(folder, from), target };
    let result = if args.follow { job.follow(cx) } else { job.files(cx, u64::MAX) };
    match result {
        Err(Stop::Error(e)) => return Err(e),
        Ok(()) | Err(Stop::Ended) => {}
    }
    let tail = job.printer.finish(job.reader.offset());
    cx.out.bytes(&tail)?;
    if args.offsets && !args.json {
        remark(&format!("next offset: {0} (abide logs {1} --since {0})", job.reader.offset(), job.target.id));
    }
    Ok(())
}

fn unreadable(target: &Target, error: &std::io::Error) -> CliError {
    CliError::failed(format!("the output of {} cannot be read: {error}", target.label()))
}

/// Why printing stops.
enum Stop {
    /// The session has ended, and all of it was printed.
    Ended,
    Error(CliError),
}

impl<E: Into<CliError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

struct Job {
    target: Target,
    printer: Printer,
    reader: LogReader,
}

impl Job {
    /// Prints what the files have, up to `until`.
    fn files(&mut self, cx: &mut Cx, until: u64) -> Result<(), Stop> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            let at = self.reader.offset();
            match self.reader.read(&mut buffer, until).map_err(|e| unreadable(&self.target, &e))? {
                Piece::Bytes(n) => {
                    let text = self.printer.feed(at, &buffer[..n]);
                    cx.out.bytes(&text)?;
                }
                Piece::Gap(n) => self.gap(cx, at, n)?,
                Piece::End => return Ok(()),
            }
        }
    }

    fn gap(&mut self, cx: &mut Cx, at: u64, n: u64) -> Result<(), Stop> {
        let text = self.printer.gap(at, n);
        cx.out.bytes(&text)?;
        remark(&format!("[{n} bytes ({}) from offset {at} on are not in the log]", bytes(n)));
        Ok(())
    }

    /// Prints the files and then what the host says, until the session ends. A host that drops us for being slow is
    /// asked again: the files have what we missed.
    fn follow(&mut self, cx: &mut Cx) -> Result<(), Stop> {
        loop {
            let Some(mut link) = cx.host(&self.target)? else {
                self.files(cx, u64::MAX)?;
                return Err(Stop::Ended);
            };
            match self.live(cx, &mut link) {
                // Once more from where we are; if the host is gone, the files are all there is.
                Ok(()) => {}
                Err(stop) => return Err(stop),
            }
        }
    }

    fn live(&mut self, cx: &mut Cx, link: &mut HostLink) -> Result<(), Stop> {
        let start = match link.ask(&Request::Follow) {
            Ok(Reply::Following { offset }) => offset,
            Err(HostError::Broken(_)) => return Ok(()),
            Ok(other) => return Err(HostError::Garbled(format!("{other:?} instead of an offset")).into()),
            Err(e) => return Err(e.into()),
        };
        link.wait_for_ever()?;
        self.files(cx, start)?;
        self.behind(cx, start)?;
        loop {
            match link.receive() {
                Ok(Reply::Data { offset, bytes }) => {
                    let at = self.reader.offset();
                    let end = offset + bytes.len() as u64;
                    if end <= at {
                        continue;
                    }
                    if offset > at {
                        self.files(cx, offset)?;
                        self.behind(cx, offset)?;
                    }
                    let known = usize::try_from(at.saturating_sub(offset)).unwrap_or(0);
                    let text = self.printer.feed(at.max(offset), &bytes[known..]);
                    self.reader.seek(end);
                    cx.out.bytes(&text)?;
                }
                Ok(Reply::Exited(record)) => {
                    self.files(cx, record.offset)?;
                    return Err(Stop::Ended);
                }
                Ok(
                    Reply::Welcome(_)
                    | Reply::Output(_)
                    | Reply::Following { .. }
                    | Reply::Status(_)
                    | Reply::Screen { .. }
                    | Reply::Done
                    | Reply::Refused(..)
                    | Reply::Bye(_),
                ) => {}
                Err(HostError::Broken(_)) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// What the host says came before `offset` and the files do not have, nobody has.
    fn behind(&mut self, cx: &mut Cx, offset: u64) -> Result<(), Stop> {
        let at = self.reader.offset();
        if at < offset {
            self.gap(cx, at, offset - at)?;
            self.reader.seek(offset);
        }
        Ok(())
    }
}
