//! Objects of POSIX shared memory, each named by a file. For macOS, where this was compiled and linked, and never run; the
//! calls are the same on Linux, where it is tested.

use crate::sys::{clock, dirs};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap, shm_open, shm_unlink};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{ftruncate, geteuid};
use std::ffi::c_void;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::ptr::NonNull;

/// Begins every file, and is what no file of another kind begins with.
const FORM: &str = "abide memory object 1";
/// The longest that a file can be: the form, a name of at most 31 bytes and a length.
const LONGEST: usize = 128;
/// How many names are tried: another is needed only where another user took this very one on purpose.
const NAMES: u64 = 64;

/// What a file says.
#[derive(Debug, PartialEq, Eq)]
struct Object {
    name: String,
    length: NonZeroUsize,
}

/// Always: the folder gets nothing but names.
#[cfg(target_os = "macos")]
pub(super) fn is_possible_in(_folder: &Path) -> bool {
    true
}

pub(super) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let length = NonZeroUsize::new(content.len()).ok_or(io::ErrorKind::InvalidInput)?;
    let (name, memory) = create()?;
    let object = Object { name, length };
    let line = format!("{FORM} {} {length}\n", object.name);
    let written = fill(&memory, content).and_then(|()| {
        dirs::create_private_file(path)?.write_all(line.as_bytes()).inspect_err(|_| {
            // The first error is the one to report.
            _ = std::fs::remove_file(path);
        })
    });
    written.inspect_err(|_| _ = object.unlink())
}

pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let object = named_by(path)?
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "names no memory object"))?;
    object.content()
}

pub(super) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let replaced = named_by(to).ok().flatten();
    std::fs::rename(from, to)?;
    // A file renamed to itself replaces nothing.
    if let Some(object) = replaced.filter(|object| named_by(to).ok().flatten().as_ref() != Some(object)) {
        // The rename is done, whatever becomes of memory that nothing names any more.
        _ = object.unlink();
    }
    Ok(())
}

pub(super) fn remove(path: &Path) -> io::Result<()> {
    let object = match named_by(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?,
    };
    // The memory first: a name of nothing is found again, and memory without a name is not.
    object.map_or(Ok(()), |object| object.unlink())?;
    super::gone(std::fs::remove_file(path))
}

impl Object {
    fn parse(text: &str) -> Option<Self> {
        let (name, length) =
            text.strip_prefix(FORM)?.strip_prefix(' ')?.strip_suffix('\n')?.split_once(' ')?;
        let ours = name
            .strip_prefix("/abide-")
            .is_some_and(|rest| rest.len() < 25 && rest.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-'));
        ours.then_some(())?;
        Some(Self { name: name.to_owned(), length: length.parse().ok()? })
    }

    fn content(&self) -> io::Result<Vec<u8>> {
        let memory = shm_open(self.name.as_str(), OFlag::O_RDONLY, Mode::empty())?;
        let stat = fstat(&memory)?;
        // After a new start of the machine any user could have made an object of this name.
        if stat.st_uid != geteuid().as_raw() {
            return Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the memory object is another user's",
            ));
        }
        if usize::try_from(stat.st_size).unwrap_or(0) < self.length.get() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the memory object is too short"));
        }
        let map = Map::new(&memory, self.length, ProtFlags::PROT_READ)?;
        let mut content = vec![0; self.length.get()];
        // SAFETY: the map has that many bytes, as the object has; the vector is other memory.
        unsafe {
            std::ptr::copy_nonoverlapping(map.start.as_ptr().cast(), content.as_mut_ptr(), content.len())
        };
        Ok(content)
    }

    /// One that is gone already is none to remove.
    fn unlink(&self) -> io::Result<()> {
        super::gone(shm_unlink(self.name.as_str()).map_err(io::Error::from))
    }
}

/// What a file names; none where it is of another kind.
fn named_by(path: &Path) -> io::Result<Option<Object>> {
    let text = std::fs::read(path)?;
    Ok(std::str::from_utf8(&text).ok().filter(|text| text.len() <= LONGEST).and_then(Object::parse))
}

/// A new object, for us only.
fn create() -> io::Result<(String, OwnedFd)> {
    let first = clock::wall_ms().wrapping_mul(NAMES);
    for number in first..first.saturating_add(NAMES) {
        let name = format!("/abide-{:x}-{number:x}", std::process::id());
        let flags = OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_EXCL;
        match shm_open(name.as_str(), flags, Mode::S_IRUSR | Mode::S_IWUSR) {
            Ok(memory) => return Ok((name, memory)),
            Err(Errno::EEXIST) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// Objects are neither read nor written by the calls for files.
fn fill(memory: &OwnedFd, content: &[u8]) -> io::Result<()> {
    let length = NonZeroUsize::new(content.len()).ok_or(io::ErrorKind::InvalidInput)?;
    ftruncate(memory, i64::try_from(length.get()).map_err(io::Error::other)?)?;
    let map = Map::new(memory, length, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE)?;
    // SAFETY: the map has that many bytes and can be written, and nobody else has it; `content` is other memory.
    unsafe { std::ptr::copy_nonoverlapping(content.as_ptr(), map.start.as_ptr().cast(), content.len()) };
    Ok(())
}

/// An object as memory.
struct Map {
    start: NonNull<c_void>,
    length: NonZeroUsize,
}

impl Map {
    fn new(memory: &OwnedFd, length: NonZeroUsize, protection: ProtFlags) -> io::Result<Self> {
        // SAFETY: a new mapping, of no memory that is in use.
        let start = unsafe { mmap(None, length, protection, MapFlags::MAP_SHARED, memory, 0) }?;
        Ok(Self { start, length })
    }
}

impl Drop for Map {
    fn drop(&mut self) {
        // SAFETY: mapped by us with this length, and used no more. A failure leaves it mapped, which harms nothing.
        _ = unsafe { munmap(self.start, self.length.get()) };
    }
}
