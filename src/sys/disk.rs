//! What a folder is on: its file system, and how much room there is.

use std::io;
use std::path::Path;

/// File systems that other machines, or the hypervisor's host, may change behind our back: no event tells of that.
const REMOTE: &[&str] = &[
    "9p",
    "afs",
    "beegfs",
    "ceph",
    "cifs",
    "drvfs",
    "fuse.glusterfs",
    "fuse.grpcfuse",
    "fuse.osxfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.sshfs",
    "fuse.vmhgfs-fuse",
    "glusterfs",
    "gpfs",
    "lustre",
    "nfs",
    "nfs4",
    "prl_fs",
    "smb3",
    "smbfs",
    "vboxsf",
    "virtiofs",
];

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Disk {
    /// Name of the file system, as `mount` shows it; none where that cannot be told.
    pub file_system: Option<String>,
    /// Bytes that this user may still write.
    pub free: u64,
    /// Files that this user may still make; none where the file system does not count them.
    pub free_files: Option<u64>,
}

impl Disk {
    /// Of an existing file or folder.
    ///
    /// # Errors
    /// It cannot be examined.
    pub fn of(path: &Path) -> io::Result<Self> {
        let room = nix::sys::statvfs::statvfs(path)?;
        #[allow(clippy::useless_conversion, reason = "the types differ from one platform to the next")]
        let (blocks, files, all) =
            (u64::from(room.blocks_available()), u64::from(room.files_available()), u64::from(room.files()));
        Ok(Self {
            file_system: file_system(path),
            free: blocks.saturating_mul(room.fragment_size()),
            free_files: (all > 0).then_some(files),
        })
    }

    /// May others than this machine change it?
    pub fn is_remote(&self) -> bool {
        self.file_system.as_deref().is_some_and(|name| REMOTE.contains(&name))
    }
}

#[cfg(target_os = "linux")]
fn file_system(path: &Path) -> Option<String> {
    let mounts = std::fs::read("/proc/self/mountinfo").ok()?;
    named_in(&mounts, &path.canonicalize().ok()?)
}

#[cfg(not(target_os = "linux"))]
fn file_system(_path: &Path) -> Option<String> {
    None
}

/// The type of the deepest mount above a path, and of several at one place the last.
#[cfg(target_os = "linux")]
fn named_in(mounts: &[u8], path: &Path) -> Option<String> {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let mut best: Option<(usize, String)> = None;
    for line in mounts.split(|byte| *byte == b'\n') {
        // `36 35 98:0 /root /mount/point options shared:1 - ext4 /dev/sda1 rw`, see proc_pid_mountinfo(5).
        let fields: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let Some(separator) = fields.iter().position(|field| *field == b"-") else { continue };
        let (Some(point), Some(kind)) = (fields.get(4), fields.get(separator + 1)) else { continue };
        let point = OsString::from_vec(unescaped(point));
        let depth = Path::new(&point).components().count();
        if path.starts_with(&point) && best.as_ref().is_none_or(|(deepest, _)| depth >= *deepest) {
            best = Some((depth, String::from_utf8_lossy(kind).into_owned()));
        }
    }
    best.map(|(_, kind)| kind)
}

/// Blanks, tabs, line ends and backslashes are written as `\` and three octal digits.
#[cfg(target_os = "linux")]
fn unescaped(field: &[u8]) -> Vec<u8> {
    let (mut out, mut rest) = (Vec::new(), field);
    while let Some((&first, after)) = rest.split_first() {
        let code = after.get(..3).filter(|_| first == b'\\');
        let byte = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 8).ok());
        match byte {
            Some(byte) => {
                out.push(byte);
                rest = &after[3..];
            }
            None => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_and_last_mount_counts() {
        let mounts = b"1 0 8:1 / / rw - ext4 /dev/a rw\n\
            2 1 0:9 / /home rw shared:1 - nfs4 server:/home rw\n\
            3 2 0:8 / /home/a\\040b rw - tmpfs tmpfs rw\n\
            4 2 0:7 / /home/a\\040b rw - fuse.sshfs there rw\n\
            not a line\n5 1 0:6 / /homes rw - xfs /dev/b rw\n";
        let kind = |path: &str| named_in(mounts, Path::new(path));
        assert_eq!(kind("/etc").as_deref(), Some("ext4"));
        assert_eq!(kind("/home/ada").as_deref(), Some("nfs4"));
        assert_eq!(kind("/home/a b/c").as_deref(), Some("fuse.sshfs"));
        assert_eq!(kind("/homes/x").as_deref(), Some("xfs"));
        assert_eq!(named_in(b"", Path::new("/")), None);
        let disk = |name: &str| Disk { file_system: Some(name.into()), ..Disk::default() };
        assert!(disk("nfs4").is_remote() && !disk("ext4").is_remote());
    }

    #[test]
    fn a_folder_of_this_machine_has_a_name_and_room() {
        let disk = Disk::of(Path::new("/proc")).expect("procfs");
        assert_eq!((disk.file_system.as_deref(), disk.free), (Some("proc"), 0));
        assert!(Disk::of(&std::env::temp_dir()).expect("a folder").free > 0);
        assert!(Disk::of(Path::new("/no/such/folder")).is_err());
    }

    #[test]
    fn hostile_fields_are_no_trouble() {
        for field in [&b"\\"[..], b"\\04", b"\\999", b"\\xyz", b"a\\040"] {
            unescaped(field);
        }
        assert_eq!(unescaped(b"a\\134b\\011"), b"a\\b\t");
    }
}
