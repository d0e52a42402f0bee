//! A look at a session that does not tell by itself what it does: its screen, by its host, and the file that its agent
//! keeps about itself. Both are read once, and whatever hinders it is an answer, too.

use super::input::{Input, Inputs};
use super::links::Link;
use super::orders::Orders;
use crate::core::environment::name_of;
use crate::core::event::{Event, Seen};
use crate::core::id::SessionId;
use crate::core::text::Text;
use crate::paths::Paths;
use nix::fcntl::OFlag;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a host or a disk may take.
const WITHIN: Duration = Duration::from_secs(2);
/// A longer file is none that an agent keeps about itself.
const LONGEST: u64 = 64 << 10;

/// See the module.
pub(super) struct Look {
    pub(super) id: SessionId,
    pub(super) generation: u64,
    pub(super) child_pid: u32,
    pub(super) own: Vec<String>,
    pub(super) paths: Paths,
    pub(super) orders: Option<Orders>,
    pub(super) inputs: Inputs,
}

impl Look {
    /// Looks, and tells.
    pub(super) async fn run(self) {
        let (id, generation) = (self.id, self.generation);
        let screen = tokio::time::timeout(WITHIN, self.screen()).await.ok().flatten();
        let inputs = self.inputs.clone();
        let own = match self.own.is_empty() {
            true => None,
            false => {
                let read = tokio::task::spawn_blocking(move || self.file());
                tokio::time::timeout(WITHIN, read).await.ok().and_then(Result::ok).flatten()
            }
        };
        // Without an engine nobody wants to know.
        _ = inputs.send(Input::Event(Event::Seen { id, generation, seen: Seen { screen, own } }));
    }

    async fn screen(&self) -> Option<Vec<u8>> {
        let link = Link::dial(&self.paths, self.id).await.ok()?;
        if link.welcome.generation != self.generation {
            return None;
        }
        link.peek().await
    }

    fn file(&self) -> Option<String> {
        let env = self.orders.as_ref()?.last(self.id)?.env;
        let env: Vec<Text> = env.into_iter().map(Text).collect();
        self.own
            .iter()
            .filter_map(|pattern| place(pattern, self.child_pid, &env))
            .find_map(|path| read(&path))
    }
}

/// Where a profile's pattern leads in this environment; nowhere without the variable that it begins with.
fn place(pattern: &str, pid: u32, env: &[Text]) -> Option<PathBuf> {
    let pattern = pattern.replace("{pid}", &pid.to_string());
    let (name, rest) = match (pattern.strip_prefix('~'), pattern.strip_prefix('$')) {
        (Some(rest), _) => ("HOME", rest),
        (None, Some(named)) => named.split_at(named.find('/').unwrap_or(named.len())),
        (None, None) => return Some(pattern.into()),
    };
    let of_it = |v: &&Text| name_of(&v.0) == Some(name.as_bytes());
    let value = env.iter().find(of_it).map(|v| OsStr::from_bytes(&v.0[name.len() + 1..]))?;
    let base = Path::new(value);
    base.is_absolute().then(|| base.join(rest.trim_start_matches('/')))
}

/// A regular file, and no longer than such a file is; opening it never waits.
fn read(path: &Path) -> Option<String> {
    let mut options = File::options();
    let flags = OFlag::O_CLOEXEC | OFlag::O_NOCTTY | OFlag::O_NONBLOCK;
    options.read(true).custom_flags(flags.bits());
    let file = options.open(path).ok()?;
    let about = file.metadata().ok()?;
    if !about.is_file() || about.len() > LONGEST {
        return None;
    }
    let mut text = String::new();
    file.take(LONGEST).read_to_string(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_leads_where_the_sessions_own_environment_says() {
        let env = [Text::from("HOME=/home/u"), Text::from("TOOL_DIR=/t"), Text::from("BAD=relative")];
        let of = |pattern: &str| place(pattern, 7, &env).map(|p| p.display().to_string());
        assert_eq!(of("~/.tool/{pid}.json").as_deref(), Some("/home/u/.tool/7.json"));
        assert_eq!(of("$TOOL_DIR/s/{pid}").as_deref(), Some("/t/s/7"));
        assert_eq!(of("/run/{pid}").as_deref(), Some("/run/7"));
        assert_eq!(of("$OTHER/x"), None);
        assert_eq!(of("$BAD/x"), None);
    }

    #[test]
    fn only_a_small_regular_file_is_read() {
        let dir = tempfile::tempdir().expect("tempdir");
        let file = dir.path().join("file");
        std::fs::write(&file, "text").expect("write");
        assert_eq!(read(&file).as_deref(), Some("text"));
        std::fs::write(&file, vec![b'x'; 100 << 10]).expect("write");
        assert_eq!(read(&file), None, "too long");
        std::fs::write(&file, [0xff]).expect("write");
        assert_eq!(read(&file), None, "no text");
        let pipe = dir.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("fifo");
        assert_eq!(read(&pipe), None);
        assert_eq!(read(dir.path()), None);
        assert_eq!(read(&dir.path().join("nothing")), None);
    }
}
