use super::*;
use crate::core::classify::classify;
use std::os::unix::net::UnixStream;

/// One registered agent: its process id and start time.
struct One(u32, u64);

impl Agents for One {
    fn at(&self, pid: u32, start: u64) -> Option<String> {
        ((pid, start) == (self.0, self.1)).then(|| "toy".to_owned())
    }
}

const NOBODY: &One = &One(0, 0);

fn look() -> Look<'static> {
    Look { tag: None, marks: &[], supervisor: 0, agents: NOBODY }
}

#[test]
fn our_own_evidence_begins_with_us() {
    let evidence = of_process(std::process::id(), &look());
    let me = Process::of(std::process::id()).expect("self");
    let first = evidence.chain.first().expect("at least us");
    assert_eq!((first.pid, first.start, first.ours), (std::process::id(), me.start, true));
    assert_eq!(evidence.chain[1].pid, me.parent);
}

#[test]
fn a_peer_is_known_by_its_handle_or_by_the_start_time_that_it_stated() {
    let (a, _b) = UnixStream::pair().expect("pair");
    let mut peer = Credentials::of(&a).expect("credentials");
    assert!(!peer.is_held() || !of_peer(&peer, None, &look()).gone);
    let start = process::start_time(std::process::id());
    peer.let_go();
    assert!(!of_peer(&peer, Some(start), &look()).gone);
    // Nothing proves that it is the process that connected, or something proves that it is not.
    for stated in [None, Some(0), Some(start + 1)] {
        let evidence = of_peer(&peer, stated, &look());
        assert!(evidence.gone && evidence.chain.is_empty(), "{stated:?}");
        assert_eq!(classify(&evidence).kind, None);
    }
}

#[test]
fn a_registered_agent_is_the_subject_by_its_start_time_too() {
    let parent = Process::of(std::process::id()).expect("self").parent;
    let start = process::start_time(parent);
    let subject = |agent: &One| {
        let look = Look { agents: agent, ..look() };
        of_process(std::process::id(), &look).subject().map(|p| p.pid)
    };
    assert_eq!(subject(&One(parent, start)), Some(parent));
    assert_eq!(subject(&One(parent, start + 1)), Some(std::process::id()));
}
