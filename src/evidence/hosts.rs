//! The live hosts that a process is inside of, for who has no supervisor to ask: each is asked by its socket, and is the
//! process that the kernel names at the other end.

use crate::core::classify::{Live, Proc};
use crate::core::id::SessionId;
use crate::core::record::Instance;
use crate::paths::Paths;
use crate::sys::fd;
use crate::sys::peer::Credentials;
use crate::sys::process::{self, Process};
use std::time::Duration;

/// How long one host may take to be connected to: it is there, and its queue is as good as never full.
const PATIENCE: Duration = Duration::from_millis(200);

/// Those among a process's ancestors, and the one whose child leads the terminal that it has.
pub(super) fn among(chain: &[Proc], paths: &Paths) -> Vec<Live> {
    let mut pairs: Vec<(Instance, u32, &str)> = Vec::new();
    for pair in chain.windows(2) {
        if let [below, p] = pair {
            pairs.push((Instance { pid: below.pid, start: below.start }, p.pid, &p.name));
        }
    }
    let led = chain.iter().find(|p| p.ours && p.terminal != 0);
    let leader =
        led.and_then(|p| Some(Instance { pid: u32::try_from(p.session).ok()?, start: p.leader_start }));
    let above = leader.and_then(|leader| {
        let parent = Process::of(leader.pid).ok().filter(|p| p.start == leader.start)?.parent;
        Some((leader, parent, Process::of(parent).ok()?))
    });
    if let Some((leader, parent, p)) = &above {
        pairs.push((*leader, *parent, &p.name));
    }
    let hosts = pairs.into_iter().filter(|(_, _, name)| *name == "abide-host");
    hosts.filter_map(|(child, host, _)| Some(Live { id: asked(host, paths)?, host, child })).collect()
}

/// The session of the host with this process id, by the host's own word: what its command line says is only where to
/// ask.
fn asked(host: u32, paths: &Paths) -> Option<SessionId> {
    let arguments = process::arguments(host).ok()?;
    let id: SessionId = std::str::from_utf8(arguments.get(1)?).ok()?.parse().ok()?;
    let stream = fd::connect(&paths.host_socket(&id.to_string()), PATIENCE).ok()?;
    let peer = Credentials::of(&stream).ok()?;
    (peer.is_ours() && peer.pid == host).then_some(id)
}
