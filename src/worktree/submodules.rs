//! Submodules of a worktree that comes back under another name, or elsewhere: each of them knows its git folder by a path,
//! and that folder knows it.

use super::git::{Git, Trust};
use super::journal::Entry;
use super::kept::Kept;
use super::linked::{git_folder_of, read_small};
use super::repository::{Repository, RepositoryError, io_at};
use super::survey::os;
use std::io;
use std::path::PathBuf;

/// Corrects these paths where they changed. Folder and books are still aside.
///
/// # Errors
/// One of them cannot be written.
pub(super) fn mend(repository: &Repository, kept: &Kept, entry: &Entry) -> Result<(), RepositoryError> {
    if entry.name == kept.meta.name && entry.path == kept.meta.path {
        return Ok(());
    }
    let (coming, aside, books) = (entry.coming(), entry.books_aside(repository), entry.books(repository));
    let mut within = std::path::Path::new("worktrees").join(os(&kept.meta.name.0)).into_os_string();
    within.push("/modules/");
    for file in kept.meta.files.iter().filter(|file| file.path.0.ends_with(b"/.git")) {
        let link = coming.join(os(&file.path.0));
        // A clone has a folder there, and whatever else it is was no link of git's.
        if !link.symlink_metadata().is_ok_and(|meta| meta.is_file()) || read_small(&link).is_err() {
            continue;
        }
        let Ok(leads) = git_folder_of(&link, &PathBuf::new()) else { continue };
        let leads = leads.into_os_string().into_encoded_bytes();
        let Some(at) = find(&leads, within.as_encoded_bytes()) else { continue };
        let module = PathBuf::from("modules").join(os(&leads[at..]));
        let mut text = b"gitdir: ".to_vec();
        text.extend_from_slice(books.join(&module).as_os_str().as_encoded_bytes());
        text.push(b'\n');
        io_at("cannot write", &link, std::fs::write(&link, text))?;
        let folder = file.path.0.strip_suffix(b"/.git").unwrap_or_default();
        let mut config = std::ffi::OsString::from("--file=");
        config.push(aside.join(&module).join("config"));
        let git =
            Git::within(&repository.common, Trust::Untrusted).args([std::ffi::OsStr::new("config"), &config]);
        let git =
            git.args([std::ffi::OsStr::new("core.worktree"), entry.place().join(os(folder)).as_os_str()]);
        io_at("cannot configure", &link, git.run().map_err(io::Error::other))?;
    }
    Ok(())
}

/// Where the first occurrence of a part ends.
fn find(whole: &[u8], part: &[u8]) -> Option<usize> {
    whole.windows(part.len()).position(|window| window == part).map(|at| at + part.len())
}
