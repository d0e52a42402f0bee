//! The objects of shared memory, which are of another platform; Linux has the same calls.

use super::object;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// What is in the files of a folder.
fn on_disk(folder: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(folder).expect("folder").flatten();
    files.flat_map(|file| std::fs::read(file.path()).expect("readable")).collect()
}

/// Whether the object that a file names is there.
fn has_memory(line: &str) -> bool {
    let name = line.split(' ').nth(4).expect("a name");
    let flags = nix::fcntl::OFlag::O_RDONLY;
    nix::sys::mman::shm_open(name, flags, nix::sys::stat::Mode::empty()).is_ok()
}

fn line(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a name")
}

#[test]
fn the_content_is_read_back_and_no_file_has_it() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a");
    let secret = b"TOKEN=open-sesame\0".repeat(1000);
    object::write(&path, &secret).expect("written");
    assert_eq!(object::read(&path).expect("read"), secret);
    assert!(on_disk(folder.path()).len() < 128);
    assert_eq!(std::fs::metadata(&path).expect("there").permissions().mode() & 0o777, 0o600);
    let named = line(&path);
    assert!(has_memory(&named));
    assert_eq!(object::write(&path, b"x").expect_err("there already").kind(), ErrorKind::AlreadyExists);
    assert_eq!(object::read(&path).expect("as it was"), secret);
    object::remove(&path).expect("removed");
    assert!(!has_memory(&named) && !path.exists());
    object::remove(&path).expect("removed already");
}

#[test]
fn a_rename_takes_the_content_along_and_frees_what_it_replaces() {
    let folder = tempfile::tempdir().expect("folder");
    let (a, b) = (folder.path().join("a"), folder.path().join("b"));
    object::write(&a, b"new").expect("written");
    object::write(&b, b"old").expect("written");
    let old = line(&b);
    object::rename(&a, &b).expect("renamed");
    assert_eq!(object::read(&b).expect("read"), b"new");
    assert!(!has_memory(&old));
    object::rename(&b, &b).expect("to itself");
    assert_eq!(object::read(&b).expect("still there"), b"new");
    assert_eq!(object::rename(&a, &b).expect_err("gone").kind(), ErrorKind::NotFound);
    assert_eq!(object::read(&b).expect("still there"), b"new");
    object::remove(&b).expect("removed");
}

#[test]
fn what_names_nothing_or_somebody_elses_memory_is_an_error() {
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("a");
    assert_eq!(object::read(&path).expect_err("no file").kind(), ErrorKind::NotFound);
    // As after a new start of the machine.
    std::fs::write(&path, "abide memory object 1 /abide-1-0 5\n").expect("write");
    assert_eq!(object::read(&path).expect_err("no memory").kind(), ErrorKind::NotFound);
    for bad in [
        "",
        "TOKEN=x",
        "abide memory object 1 /etc-passwd 5\n",
        "abide memory object 1 /abide-../x 5\n",
        "abide memory object 1 /abide-1-0 0\n",
        "abide memory object 1 /abide-1-0 -1\n",
        "abide memory object 2 /abide-1-0 5\n",
        "abide memory object 1 /abide-11111111111111111111111111111 5\n",
    ] {
        std::fs::write(&path, bad).expect("write");
        assert_eq!(object::read(&path).expect_err(bad).kind(), ErrorKind::InvalidData, "{bad}");
    }
    object::remove(&path).expect("a file of another kind is removed as one");
    object::write(&path, b"short").expect("written");
    let longer = line(&path).replace(" 5\n", " 5000\n");
    std::fs::write(&path, longer).expect("write");
    assert_eq!(object::read(&path).expect_err("too short").kind(), ErrorKind::InvalidData);
    object::remove(&path).expect("removed");
    assert_eq!(object::write(&path, b"").expect_err("nothing").kind(), ErrorKind::InvalidInput);
    assert!(!path.exists());
}
