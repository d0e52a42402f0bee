//! A process and its ancestors.

use crate::sys::process::Process;

/// So many at most: what goes deeper is cut, and is no shell somebody types in.
const DEPTH: usize = 64;
/// How often a process whose parent goes away is looked at again.
const AGAIN: usize = 4;

/// The process, its parent and so on; ends at the first that is not there or that we may not see. Each is the parent of
/// the one before: a process that was read after its child had got another parent is not taken for it.
pub(super) fn of(pid: u32) -> Vec<(u32, Process)> {
    chain(pid, |pid| Process::of(pid).ok())
}

fn chain(pid: u32, look: impl Fn(u32) -> Option<Process>) -> Vec<(u32, Process)> {
    let mut chain: Vec<(u32, Process)> = look(pid).map(|p| (pid, p)).into_iter().collect();
    while let Some((child, parent)) = chain.last().map(|(pid, p)| (*pid, p.parent)) {
        if parent == 0 || chain.len() == DEPTH {
            break;
        }
        let Some((parent, found)) = parent_of(child, parent, &look) else { break };
        chain.push((parent, found));
    }
    chain
}

/// The parent of `child`, which was `parent` when that was read.
fn parent_of(child: u32, mut parent: u32, look: &impl Fn(u32) -> Option<Process>) -> Option<(u32, Process)> {
    for _ in 0..AGAIN {
        let found = look(parent);
        // Whoever got the id of a parent that ended in between is not this child's parent: it still says so then.
        let now = look(child)?.parent;
        if now == parent {
            return found.map(|found| (parent, found));
        }
        parent = now;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn process(parent: u32, start: u64) -> Process {
        let name = "x".to_owned();
        Process { name, zombie: false, parent, group: 1, session: 1, terminal: 0, foreground: -1, start }
    }

    #[test]
    fn ours_leads_to_the_top_and_is_as_ps_says() {
        let chain = of(std::process::id());
        assert_eq!(chain[0].0, std::process::id());
        for pair in chain.windows(2) {
            assert_eq!(pair[0].1.parent, pair[1].0);
        }
        assert!(chain.len() > 1 && chain.iter().all(|(_, p)| p.start > 0));
    }

    #[test]
    fn a_parent_that_ended_in_between_is_not_mixed_up_with_a_later_process_of_its_id() {
        // 30's parent is 20 at first; by the time 20 is read it is another process, and 30 is the child of 10.
        let looks = Cell::new(0);
        let look = |pid: u32| {
            let n = looks.replace(looks.get() + 1);
            match pid {
                30 if n == 0 => Some(process(20, 5)),
                30 => Some(process(10, 5)),
                20 => Some(process(7, 99)),
                10 => Some(process(0, 1)),
                _ => None,
            }
        };
        let pids: Vec<u32> = chain(30, look).into_iter().map(|(pid, _)| pid).collect();
        assert_eq!(pids, [30, 10]);
    }

    #[test]
    fn what_has_no_end_or_cannot_be_seen_is_cut() {
        assert_eq!(chain(5, |_| Some(process(5, 1))).len(), DEPTH);
        assert_eq!(chain(5, |pid| (pid == 5).then(|| process(4, 1))).len(), 1);
        assert!(chain(5, |_| None).is_empty());
    }
}
