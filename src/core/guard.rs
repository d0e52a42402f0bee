//! The write guard: whether a session may change a file. It prevents accidents, and is no security boundary.
//!
//! The *shared checkout* is the repository's own working tree, the one that is no linked worktree: where its user works.
//! The first row that holds decides:
//!
//! | Who asks | Setting | Where the file is | Verdict |
//! |---|---|---|---|
//! | anybody | `guard = "off"`, or `isolation = "none"` for the repository | anywhere | allowed |
//! | known, and not of template `bg` | | anywhere | allowed |
//! | template `bg`, or unknown | | in no repository, or in another one than the session's | allowed |
//! | | | in a linked worktree, the session's or any other | allowed |
//! | | | in the shared checkout, ignored and not tracked | allowed |
//! | | | in the repository's git folder, where no rule of the kernel's layer is ([`OWN`]) | allowed |
//! | template `bg` | | git cannot say | reported |
//! | unknown | | git cannot say | allowed |
//! | unknown | | in the shared checkout, tracked or new; or what is the shared checkout's in the git folder | reported |
//! | template `bg` | | the same | **refused** |
//!
//! So the guard goes by what a session was started for (its template): attaching to it lifts nothing, and whoever works
//! in a terminal of their own is never in its way. What is reported goes on.

use super::classify::Class;
use super::naming::printable;
use super::record::Template;
use super::text::Text;
use serde::{Deserialize, Serialize};

/// Which layers there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layers {
    /// None.
    Off,
    /// The agents' own hooks.
    #[default]
    Hooks,
    /// These, and the kernel for sessions that start in a linked worktree.
    Kernel,
}

/// Whether background sessions are to keep out of a repository's shared checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Isolation {
    /// They are to work in worktrees.
    #[default]
    Worktree,
    /// They may work in it.
    None,
}

/// What the settings say for the repository in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Policy {
    /// See [`Layers`].
    pub layers: Layers,
    /// See [`Isolation`].
    pub isolation: Isolation,
}

impl Policy {
    /// Nothing is guarded.
    pub fn is_off(self) -> bool {
        self.layers == Layers::Off || self.isolation == Isolation::None
    }
}

/// What git says about one file, seen from a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Facts {
    /// The file: absolute, links resolved.
    pub file: Text,
    /// The linked worktree that the session is in; none where it is in none.
    pub own: Option<Text>,
    /// Where the file is.
    pub place: Place,
}

/// Where a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// Git cannot say.
    Unknown {
        /// Why.
        why: String,
    },
    /// In no repository, or in another one than the session.
    Outside,
    /// In a linked worktree of the session's repository, or of another.
    Linked {
        /// The worktree's folder.
        root: Text,
    },
    /// In the shared checkout of the session's repository, submodules included.
    Shared {
        /// Its folder.
        root: Text,
        /// The file below it.
        below: Text,
        /// See [`Standing`].
        standing: Standing,
    },
    /// In the git folder of the session's repository.
    Git {
        /// The shared checkout's folder.
        root: Text,
        /// It is one of [`OWN`].
        own: bool,
    },
}

/// What a file in the shared checkout is to git.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Ignored and not tracked: what a build leaves.
    Ignored,
    /// Tracked, or new and not ignored.
    Content,
}

/// What in a repository's git folder belongs to its shared checkout, or takes effect there: nothing that a session does
/// in a linked worktree needs to change it. Folders stand for all that is in them.
pub const OWN: &[&str] = &["HEAD", "config", "config.worktree", "hooks", "index", "logs/HEAD", "modules"];

/// What becomes of an edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It goes on.
    Allow,
    /// It does not happen.
    Refuse {
        /// For the agent and its user: why, and what to do instead.
        message: String,
    },
    /// It goes on, and this is said.
    Report {
        /// For the user.
        message: String,
    },
}

/// See the module.
pub fn decide(class: &Class, facts: &Facts, policy: &Policy) -> Verdict {
    let unknown = class.kind.is_none() && class.template.is_none();
    let guarded = class.template == Some(Template::Bg);
    if policy.is_off() || !(unknown || guarded) {
        return Verdict::Allow;
    }
    let file = shown(&facts.file);
    let what = match &facts.place {
        Place::Outside
        | Place::Linked { .. }
        | Place::Shared { standing: Standing::Ignored, .. }
        | Place::Git { own: false, .. } => return Verdict::Allow,
        Place::Unknown { .. } if unknown => return Verdict::Allow,
        Place::Unknown { why } => {
            return Verdict::Report {
                message: format!(
                    "The write guard does not know where {file} belongs: {}.",
                    printable(why, 300)
                ),
            };
        }
        Place::Shared { root, .. } => format!("{file} is in the shared checkout {}", shown(root)),
        Place::Git { root, .. } => {
            format!("{file} belongs to the shared checkout {}, and takes effect there", shown(root))
        }
    };
    if unknown {
        let who = class.reasons.first().map_or("its evidence is gone", String::as_str);
        let message = format!(
            "{what}. A background session would not be let change it; what this one is, is not known: {}",
            printable(who, 300)
        );
        return Verdict::Report { message };
    }
    Verdict::Refuse { message: format!("{what}, and this is a background session. {}", remedy(facts)) }
}

/// What to do instead of a refused edit.
fn remedy(facts: &Facts) -> String {
    let (root, below) = match &facts.place {
        Place::Shared { root, below, .. } => (root, Some(below)),
        Place::Git { root, .. } => (root, None),
        Place::Unknown { .. } | Place::Outside | Place::Linked { .. } => return String::new(),
    };
    let instead = match (below, &facts.own) {
        (None, _) => "Leave it as it is, and ask the user.".to_owned(),
        (Some(below), Some(own)) => {
            format!("Retry with the worktree's path: {}.", shown(&joined(own, &below.0)))
        }
        (Some(below), None) => {
            let tree = joined(root, b".abide/worktrees/NAME");
            format!(
                "Work in a worktree: git -C {} worktree add {} -b worktree-NAME, with a NAME of your choice; \
                 then retry with the worktree's path: {}.",
                quoted(root),
                quoted(&tree),
                shown(&joined(&tree, &below.0))
            )
        }
    };
    format!(
        "{instead} (The user can allow it for this repository: isolation = \"none\" in {}, or below \
         [repository.{:?}] in abide's config.toml.)",
        shown(&joined(root, b".abide/config.toml")),
        shown(root)
    )
}

fn joined(folder: &Text, below: &[u8]) -> Text {
    let mut path = folder.0.clone();
    if !path.ends_with(b"/") {
        path.push(b'/');
    }
    path.extend_from_slice(below);
    Text(path)
}

/// A path within a sentence.
fn shown(path: &Text) -> String {
    printable(&String::from_utf8_lossy(&path.0), 4096)
}

/// A path within a command.
fn quoted(path: &Text) -> String {
    let path = shown(path);
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@%".contains(c);
    if path.chars().all(plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::classify::Attended;
    use crate::core::record::Kind;
    use proptest::prelude::*;

    fn class(kind: Option<Kind>, template: Option<Template>, attended: Attended) -> Class {
        Class {
            kind,
            template,
            attended,
            session: None,
            row: 1,
            reasons: vec!["its process is gone.".into()],
        }
    }

    fn facts(place: Place) -> Facts {
        Facts { file: "/p/src/a.rs".into(), own: None, place }
    }

    fn shared(standing: Standing) -> Place {
        Place::Shared { root: "/p".into(), below: "src/a.rs".into(), standing }
    }

    fn any_class() -> impl Strategy<Value = Class> {
        let kind = prop_oneof![
            Just(None),
            Just(Some(Kind::Interactive)),
            Just(Some(Kind::Bg)),
            Just(Some(Kind::Daemon)),
            Just(Some(Kind::DaemonWorker)),
        ];
        let template = prop_oneof![Just(None), Just(Some(Template::Foreground)), Just(Some(Template::Bg))];
        let attended = prop_oneof![Just(Attended::Yes), Just(Attended::No), Just(Attended::Unknown)];
        (kind, template, attended).prop_map(|(k, t, a)| class(k, t, a))
    }

    fn any_facts() -> impl Strategy<Value = Facts> {
        let text = || prop::collection::vec(any::<u8>(), 0..12).prop_map(Text);
        let standing = prop_oneof![Just(Standing::Ignored), Just(Standing::Content)];
        let place = prop_oneof![
            any::<String>().prop_map(|why| Place::Unknown { why }),
            Just(Place::Outside),
            text().prop_map(|root| Place::Linked { root }),
            (text(), text(), standing).prop_map(|(root, below, standing)| Place::Shared {
                root,
                below,
                standing
            }),
            (text(), any::<bool>()).prop_map(|(root, own)| Place::Git { root, own }),
        ];
        (text(), prop::option::of(text()), place).prop_map(|(file, own, place)| Facts { file, own, place })
    }

    fn any_policy() -> impl Strategy<Value = Policy> {
        let layers = prop_oneof![Just(Layers::Off), Just(Layers::Hooks), Just(Layers::Kernel)];
        let isolation = prop_oneof![Just(Isolation::Worktree), Just(Isolation::None)];
        (layers, isolation).prop_map(|(layers, isolation)| Policy { layers, isolation })
    }

    fn is_the_checkouts(place: &Place) -> bool {
        match place {
            Place::Shared { standing, .. } => *standing == Standing::Content,
            Place::Git { own, .. } => *own,
            Place::Unknown { .. } | Place::Outside | Place::Linked { .. } => false,
        }
    }

    proptest! {
        #[test]
        fn only_a_background_session_in_the_shared_checkout_is_refused(
            class in any_class(), facts in any_facts(), policy in any_policy()
        ) {
            let refused = matches!(decide(&class, &facts, &policy), Verdict::Refuse { .. });
            let expected = class.template == Some(Template::Bg)
                && is_the_checkouts(&facts.place)
                && policy.layers != Layers::Off
                && policy.isolation == Isolation::Worktree;
            prop_assert_eq!(refused, expected);
        }

        #[test]
        fn who_attends_changes_nothing(class in any_class(), facts in any_facts(), policy in any_policy()) {
            for attended in [Attended::Yes, Attended::No, Attended::Unknown] {
                let other = Class { attended, ..class.clone() };
                prop_assert_eq!(decide(&other, &facts, &policy), decide(&class, &facts, &policy));
            }
        }

        #[test]
        fn what_is_known_to_be_no_background_session_hears_nothing(
            class in any_class(), facts in any_facts(), policy in any_policy()
        ) {
            prop_assume!(class.template != Some(Template::Bg) && class.kind.is_some());
            prop_assert_eq!(decide(&class, &facts, &policy), Verdict::Allow);
        }

        #[test]
        fn messages_are_one_printable_line(
            class in any_class(), facts in any_facts(), policy in any_policy()
        ) {
            match decide(&class, &facts, &policy) {
                Verdict::Allow => {}
                Verdict::Refuse { message } | Verdict::Report { message } => {
                    prop_assert!(message.chars().all(super::super::naming::is_printable), "{:?}", message);
                }
            }
        }
    }

    #[test]
    fn a_refusal_says_why_and_what_to_do_instead() {
        let bg = class(Some(Kind::Bg), Some(Template::Bg), Attended::Yes);
        let place =
            Place::Shared { root: "/my p".into(), below: "src/a.rs".into(), standing: Standing::Content };
        let facts = Facts { file: "/my p/src/a.rs".into(), own: None, place };
        let Verdict::Refuse { message } = decide(&bg, &facts, &Policy::default()) else { panic!("allowed") };
        assert_eq!(
            message,
            "/my p/src/a.rs is in the shared checkout /my p, and this is a background session. Work in a worktree: \
             git -C '/my p' worktree add '/my p/.abide/worktrees/NAME' -b worktree-NAME, with a NAME of your choice; \
             then retry with the worktree's path: /my p/.abide/worktrees/NAME/src/a.rs. (The user can allow it for \
             this repository: isolation = \"none\" in /my p/.abide/config.toml, or below [repository.\"/my p\"] in \
             abide's config.toml.)"
        );
        let own = Facts { own: Some("/w".into()), ..facts };
        let Verdict::Refuse { message } = decide(&bg, &own, &Policy::default()) else { panic!("allowed") };
        assert!(message.contains("Retry with the worktree's path: /w/src/a.rs."), "{message}");
    }

    #[test]
    fn who_is_unknown_is_reported_and_never_refused() {
        let nobody = class(None, None, Attended::Unknown);
        let verdict = decide(&nobody, &facts(shared(Standing::Content)), &Policy::default());
        assert!(
            matches!(&verdict, Verdict::Report { message } if message.contains("its process is gone")),
            "{verdict:?}"
        );
        let bg = class(Some(Kind::Bg), Some(Template::Bg), Attended::No);
        let lost = facts(Place::Unknown { why: "its HEAD\nis broken".into() });
        let Verdict::Report { message } = decide(&bg, &lost, &Policy::default()) else { panic!("decided") };
        assert!(message.contains("its HEAD is broken"), "{message}");
    }
}
