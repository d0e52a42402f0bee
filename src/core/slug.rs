//! Names of worktrees: what a user may give, and what is made up where none is given.
//!
//! A [`Slug`] is parsed once; whatever has one can be a folder's name, part of a branch's name and a word on a command
//! line. A `/` in it is a `+` in both: `+` is no character of a slug, so that no two slugs share a folder or a branch.

/// Characters of a slug, at most. With `worktree-` before it a branch of this name is a file name everywhere.
pub const LONGEST: usize = 64;

/// The name of a worktree: segments of ASCII letters, digits, `.`, `_` and `-`, with `/` between them.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slug(String);

/// Why a text is no slug.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotASlug {
    /// There is nothing.
    #[error("it is empty")]
    Empty,
    /// More than [`LONGEST`].
    #[error("it has {0} characters, and {LONGEST} are allowed")]
    TooLong(usize),
    /// Another character.
    #[error("it holds {0:?}: letters, digits, `.`, `_`, `-` and, between them, `/` are allowed")]
    Character(char),
    /// A `/` at an end, or two in a row.
    #[error("a part of it between slashes is empty")]
    EmptySegment,
    /// What git takes for something else, or refuses in a branch's name.
    #[error("its part {segment:?} {why}")]
    Segment {
        /// Which part.
        segment: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Slug {
    /// Reads what a user gave.
    ///
    /// # Errors
    /// [`NotASlug`], for people.
    pub fn parse(text: &str) -> Result<Self, NotASlug> {
        if text.is_empty() {
            return Err(NotASlug::Empty);
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        if let Some(other) = text.chars().find(|c| !allowed(*c)) {
            return Err(NotASlug::Character(other));
        }
        if text.len() > LONGEST {
            return Err(NotASlug::TooLong(text.len()));
        }
        for segment in text.split('/') {
            if segment.is_empty() {
                return Err(NotASlug::EmptySegment);
            }
            let wrong = |why| Err(NotASlug::Segment { segment: segment.to_owned(), why });
            // The rules of `git check-ref-format`, of which the folder's name needs the first as well.
            if segment.starts_with('.') {
                return wrong("begins with a dot");
            }
            if segment.starts_with('-') {
                return wrong("begins with a dash, so that it would be taken for an option");
            }
            if segment.ends_with('.') {
                return wrong("ends with a dot");
            }
            if segment.contains("..") {
                return wrong("has two dots in a row");
            }
            // Also as people write it where the file system does not tell the difference.
            if segment.to_ascii_lowercase().ends_with(".lock") {
                return wrong("ends with .lock, by which git marks its own files");
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The slug of a pull or merge request.
    pub fn of_pull_request(number: u64) -> Self {
        Self(format!("pr-{number}"))
    }

    /// A made-up one, `bright-running-fox`, from random bits. Another number gives, most likely, another one.
    pub fn made_up(bits: u64) -> Self {
        let pick = |words: &'static [&'static str], bits: u64| {
            let n = u64::try_from(words.len()).unwrap_or(1);
            words[usize::try_from(bits % n).unwrap_or(0)]
        };
        let (first, second, third) = (pick(HOW, bits), pick(DOING, bits >> 21), pick(WHO, bits >> 42));
        Self(format!("{first}-{second}-{third}"))
    }

    /// The slug of a sub-agent's worktree, `agent-` and eight hex digits.
    pub fn of_sub_agent(bits: u32) -> Self {
        Self(format!("agent-{bits:08x}"))
    }

    /// As it was given.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its folder's name.
    pub fn flat(&self) -> String {
        self.0.replace('/', "+")
    }

    /// Its branch.
    pub fn branch(&self) -> String {
        format!("{BRANCH_PREFIX}{}", self.flat())
    }

    /// The slug of a folder's name; none for a folder that no slug has.
    pub fn of_folder(name: &str) -> Option<Self> {
        if name.contains('/') {
            return None;
        }
        Self::parse(&name.replace('+', "/")).ok()
    }

    /// Whether it is one that programs make for a while and nobody named: swept when it is old.
    pub fn is_ephemeral(&self) -> bool {
        let hex =
            |rest: &str| rest.len() == 8 && rest.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        ["agent-", "workflow-", "bridge-"].iter().any(|kind| self.0.strip_prefix(kind).is_some_and(hex))
    }
}

impl std::fmt::Display for Slug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the branches of worktrees begin with.
pub const BRANCH_PREFIX: &str = "worktree-";

const HOW: &[&str] = &[
    "amber", "bold", "brave", "bright", "brisk", "calm", "clear", "clever", "cosy", "crisp", "deft", "eager",
    "early", "fair", "fleet", "fresh", "gentle", "glad", "golden", "grand", "happy", "hardy", "honest",
    "humble", "jolly", "keen", "kind", "light", "lively", "lucky", "lunar", "mellow", "merry", "mild",
    "modest", "neat", "nimble", "noble", "patient", "plain", "polite", "proud", "quick", "quiet", "rapid",
    "ready", "royal", "sharp", "silver", "sincere", "sleek", "smart", "snug", "solid", "sunny", "swift",
    "tidy", "vivid", "warm", "wise",
];

const DOING: &[&str] = &[
    "baking",
    "bouncing",
    "brewing",
    "building",
    "carving",
    "chasing",
    "climbing",
    "coding",
    "counting",
    "dancing",
    "dashing",
    "diving",
    "drawing",
    "dreaming",
    "drifting",
    "fishing",
    "flying",
    "gliding",
    "growing",
    "hiking",
    "hopping",
    "humming",
    "juggling",
    "jumping",
    "knitting",
    "leaping",
    "learning",
    "marching",
    "mending",
    "painting",
    "planting",
    "playing",
    "pondering",
    "racing",
    "reading",
    "resting",
    "riding",
    "roaming",
    "rowing",
    "running",
    "sailing",
    "singing",
    "skating",
    "sketching",
    "sliding",
    "soaring",
    "spinning",
    "strolling",
    "surfing",
    "swimming",
    "swinging",
    "talking",
    "tinkering",
    "trotting",
    "walking",
    "wandering",
    "weaving",
    "whistling",
    "winding",
    "writing",
];

const WHO: &[&str] = &[
    "badger", "bear", "beaver", "bee", "bison", "cat", "crab", "crane", "crow", "deer", "dolphin", "dove",
    "duck", "eagle", "elk", "falcon", "ferret", "finch", "fox", "frog", "gecko", "goat", "goose", "hare",
    "hawk", "hedgehog", "heron", "horse", "ibis", "jay", "koala", "lark", "lemur", "lion", "lynx", "magpie",
    "marmot", "mole", "moose", "mouse", "newt", "ocelot", "otter", "owl", "panda", "puffin", "rabbit",
    "raven", "robin", "salmon", "seal", "sparrow", "squirrel", "stork", "swan", "tapir", "tiger", "toad",
    "trout", "turtle", "walrus", "whale", "wren",
];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The rules of `git check-ref-format --branch` for a name without spaces and specials, as its manual has them.
    fn git_takes(branch: &str) -> bool {
        let parts: Vec<&str> = branch.split('/').collect();
        !branch.contains("..")
            && !branch.contains("@{")
            && !branch.ends_with('.')
            && !branch.starts_with('-')
            && parts.iter().all(|p| !p.is_empty() && !p.starts_with('.') && !p.ends_with(".lock"))
            && branch.bytes().all(|b| b > b' ' && b != 0x7f && !b"~^:?*[\\".contains(&b))
    }

    #[test]
    fn what_is_a_slug_and_what_is_not() {
        for good in ["a", "fix-net", "fix/net.v2", "a_b", "9", "A/b/C", "x.locks", &"x".repeat(LONGEST)] {
            assert_eq!(Slug::parse(good).expect(good).as_str(), good);
        }
        for (bad, says) in [
            ("", "empty"),
            ("a..b", "two dots"),
            ("x.lock", ".lock"),
            ("a/X.LOCK/b", ".lock"),
            (".x", "begins with a dot"),
            ("a/.git", "begins with a dot"),
            ("x.", "ends with a dot"),
            ("-x", "option"),
            ("a/-x", "option"),
            ("/a", "slashes"),
            ("a//b", "slashes"),
            ("a/", "slashes"),
            ("a+b", "'+'"),
            ("a b", "' '"),
            ("naïve", "'ï'"),
            ("a\nb", "'\\n'"),
            ("a\\b", "'\\\\'"),
            (&"x".repeat(LONGEST + 1), "65 characters"),
        ] {
            let error = Slug::parse(bad).expect_err(bad).to_string();
            assert!(error.contains(says), "{bad:?}: {error}");
        }
    }

    #[test]
    fn slashes_are_flat_in_folders_and_branches() {
        let slug = Slug::parse("fix/net/v2").expect("a slug");
        assert_eq!((slug.flat().as_str(), slug.branch().as_str()), ("fix+net+v2", "worktree-fix+net+v2"));
        assert_eq!(Slug::of_folder("fix+net+v2"), Some(slug));
        for other in ["", "a b", ".hidden", "a/b", "+a", "a++b"] {
            assert_eq!(Slug::of_folder(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_programs_made_is_ephemeral() {
        assert!(Slug::of_sub_agent(0xbad_cafe).is_ephemeral());
        assert_eq!(Slug::of_sub_agent(1).as_str(), "agent-00000001");
        for other in
            ["agent-smith", "agent-0badcafe9", "agent-0BADCAFE", "my-agent-0badcafe", "pr-12", "agent-"]
        {
            assert!(!Slug::parse(other).expect(other).is_ephemeral(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_slug_is_a_folder_a_branch_and_itself_again(text in "[A-Za-z0-9._/-]{0,70}") {
            let Ok(slug) = Slug::parse(&text) else { return Ok(()) };
            prop_assert!(git_takes(&slug.branch()), "{}", slug.branch());
            prop_assert!(git_takes(slug.as_str()), "{}", slug.as_str());
            prop_assert!(!slug.flat().contains('/'));
            prop_assert_eq!(Slug::of_folder(&slug.flat()), Some(slug));
        }

        #[test]
        fn what_git_refuses_is_no_slug(text in "[a-z./-]{1,10}") {
            prop_assume!(!git_takes(&text));
            prop_assert!(Slug::parse(&text).is_err());
        }

        #[test]
        fn made_up_names_are_slugs_of_three_words(bits: u64) {
            let slug = Slug::made_up(bits);
            prop_assert_eq!(slug.as_str().split('-').count(), 3);
            prop_assert_eq!(Slug::parse(slug.as_str()), Ok(slug.clone()));
            prop_assert!(!slug.is_ephemeral());
        }
    }
}
