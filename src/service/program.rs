//! Where our own programs are: beside the one that runs, or where a distribution puts programs that nobody types.

use std::io;
use std::path::{Path, PathBuf};

/// One of our programs is missing.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// None of the places has it.
    #[error("{name} is missing: looked for {}: install abide's programs together", list(.looked))]
    Missing {
        /// Which.
        name: &'static str,
        /// Where it was looked for.
        looked: Vec<PathBuf>,
    },
    /// We cannot tell where we are.
    #[error("cannot find this program's own file: {0}")]
    Unknown(io::Error),
}

fn list(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}

/// Where one of our programs is, by the file of the one that runs. No variable overrides this: whoever could set one for
/// the supervisor could have it start anything.
///
/// # Errors
/// [`ProgramError`].
pub fn find(name: &'static str) -> Result<PathBuf, ProgramError> {
    let own = std::env::current_exe().map_err(ProgramError::Unknown)?;
    find_beside(&undeleted(&own), name)
}

/// As [`find`], for a file that stays where it is when abide is upgraded: the path by which the user started this
/// program is taken where it leads to the same file, rather than the file that it leads to now.
///
/// # Errors
/// [`ProgramError`].
pub fn find_lasting(name: &'static str) -> Result<PathBuf, ProgramError> {
    let own = undeleted(&std::env::current_exe().map_err(ProgramError::Unknown)?);
    typed().filter(|typed| same_file(typed, &own)).map_or_else(
        || find_beside(&own, name),
        |typed| find_beside(&typed, name).or_else(|_| find_beside(&own, name)),
    )
}

/// The path by which this program was started and will be again, after upgrades too: links in it are not followed.
/// Service managers and our own starters give it whole; where somebody typed less, as [`find_lasting`].
///
/// # Errors
/// [`ProgramError`].
pub fn launch_path() -> Result<PathBuf, ProgramError> {
    // It need not lead to the file that runs: that may have been replaced already.
    if let Some(given) = std::env::args_os().next().map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(given);
    }
    let own = undeleted(&std::env::current_exe().map_err(ProgramError::Unknown)?);
    Ok(typed().filter(|typed| same_file(typed, &own)).unwrap_or(own))
}

/// The absolute path that the first argument means.
fn typed() -> Option<PathBuf> {
    let typed = PathBuf::from(std::env::args_os().next()?);
    if typed.components().count() > 1 {
        return std::path::absolute(typed).ok();
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|dir| dir.join(&typed))
        .find(|file| file.is_absolute() && is_program(file))
}

fn same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// After an upgrade the kernel says of the running file that it was deleted; the new one has its place.
fn undeleted(own: &Path) -> PathBuf {
    own.to_str().and_then(|path| path.strip_suffix(" (deleted)")).map_or_else(|| own.into(), PathBuf::from)
}

fn find_beside(own: &Path, name: &'static str) -> Result<PathBuf, ProgramError> {
    let folder = own.parent().unwrap_or(Path::new("/"));
    let above = folder.parent().unwrap_or(Path::new("/"));
    let looked = [folder.to_owned(), above.join("libexec/abide"), above.join("lib/abide")]
        .map(|folder| folder.join(name))
        .to_vec();
    match looked.iter().find(|file| is_program(file)) {
        Some(found) => Ok(found.clone()),
        None => Err(ProgramError::Missing { name, looked }),
    }
}

fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn program(path: &Path, mode: u32) {
        std::fs::create_dir_all(path.parent().expect("parent")).expect("mkdir");
        std::fs::write(path, "").expect("write");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("chmod");
    }

    #[test]
    fn programs_are_found_beside_and_in_the_folders_of_distributions() {
        let root = tempfile::tempdir().expect("tempdir");
        let own = root.path().join("bin/abide");
        let message = find_beside(&own, "abide-host").expect_err("nothing there").to_string();
        assert!(
            message.contains("bin/abide-host") && message.contains("libexec/abide/abide-host"),
            "{message}"
        );
        for place in ["lib/abide/abide-host", "libexec/abide/abide-host", "bin/abide-host"] {
            let file = root.path().join(place);
            program(&file, 0o755);
            assert_eq!(find_beside(&own, "abide-host").expect("found"), file);
        }
        program(&root.path().join("bin/abide-host"), 0o644);
        let found = find_beside(&own, "abide-host").expect("found");
        assert_eq!(
            found,
            root.path().join("libexec/abide/abide-host"),
            "a file that cannot be executed is none"
        );
    }

    #[test]
    fn a_replaced_program_is_looked_for_where_it_was() {
        assert_eq!(undeleted(Path::new("/usr/bin/abided (deleted)")), Path::new("/usr/bin/abided"));
        assert_eq!(undeleted(Path::new("/usr/bin/abided")), Path::new("/usr/bin/abided"));
    }
}
