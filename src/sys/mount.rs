//! What is behind a folder.

use std::path::Path;

/// Does the kernel announce every change in this folder? Not where others can change it behind its back: over a network,
/// or from outside of a virtual machine.
#[cfg(target_os = "linux")]
pub fn announces_changes(folder: &Path) -> bool {
    use nix::sys::statfs::{FsType, NFS_SUPER_MAGIC, SMB_SUPER_MAGIC, statfs};
    // linux/magic.h, fs/smb, fs/ceph, fs/fuse; the C library's headers leave them out.
    const ELSEWHERE: [FsType; 6] = [
        FsType(0xff53_4d42),
        FsType(0xfe53_4d42),
        FsType(0x0102_1997),
        FsType(0x5346_414f),
        FsType(0x00c3_6400),
        FsType(0x6573_5546),
    ];
    let Ok(about) = statfs(folder) else { return true };
    let kind = about.filesystem_type();
    kind != NFS_SUPER_MAGIC && kind != SMB_SUPER_MAGIC && !ELSEWHERE.contains(&kind)
}

/// Does the system announce every change in this folder? Not on a network's volume.
#[cfg(not(target_os = "linux"))]
pub fn announces_changes(folder: &Path) -> bool {
    let Ok(about) = nix::sys::statfs::statfs(folder) else { return true };
    !["nfs", "smbfs", "afpfs", "webdav", "ftp", "macfuse"].contains(&about.filesystem_type_name())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_local_folder_announces_its_changes() {
        assert!(super::announces_changes(std::path::Path::new("/proc/self")));
        assert!(super::announces_changes(std::path::Path::new("/nonexistent")));
    }
}
