//! `proc_pidinfo`. Compiled and linked, never run.

use super::{Process, Signal};
use nix::errno::Errno;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// Fills a structure of the kernel's about one process.
///
/// # Safety
/// `T` must be the plain structure that `flavor` writes, for which any bytes are valid.
unsafe fn info<T>(pid: u32, flavor: i32) -> io::Result<T> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let size = i32::try_from(size_of::<T>()).map_err(io::Error::other)?;
    let mut out = std::mem::MaybeUninit::<T>::zeroed();
    // SAFETY: the buffer has `size` bytes, and the kernel writes no more than that.
    let got = unsafe { libc::proc_pidinfo(pid, flavor, 0, out.as_mut_ptr().cast(), size) };
    if got == size {
        // SAFETY: all of it was written, and any bytes are a valid `T`, as the caller promises.
        return Ok(unsafe { out.assume_init() });
    }
    let error = Errno::last();
    Err(if error == Errno::ESRCH { io::ErrorKind::NotFound.into() } else { error.into() })
}

pub(super) fn process(pid: u32) -> io::Result<Process> {
    // SAFETY: PROC_PIDTBSDINFO writes a proc_bsdinfo, which is plain integers and byte arrays.
    let p: libc::proc_bsdinfo = unsafe { info(pid, libc::PROC_PIDTBSDINFO) }?;
    let name: Vec<u8> = p.pbi_comm.iter().map(|c| c.cast_unsigned()).take_while(|b| *b != 0).collect();
    let name = String::from_utf8_lossy(&name);
    let none = u32::MAX;
    Ok(Process {
        name: name.chars().map(|c| if c.is_control() { '?' } else { c }).collect(),
        zombie: p.pbi_status == libc::SZOMB,
        parent: p.pbi_ppid,
        group: p.pbi_pgid.cast_signed(),
        // SAFETY: getsid takes an integer.
        session: unsafe { libc::getsid(pid.cast_signed()) },
        terminal: if p.e_tdev == none { 0 } else { u64::from(p.e_tdev) },
        foreground: if p.e_tdev == none { -1 } else { p.e_tpgid.cast_signed() },
        start: p.pbi_start_tvsec * 1_000_000 + p.pbi_start_tvusec,
    })
}

pub(super) fn user(pid: u32) -> io::Result<u32> {
    // SAFETY: PROC_PIDTBSDINFO writes a proc_bsdinfo, which is plain integers and byte arrays.
    let p: libc::proc_bsdinfo = unsafe { info(pid, libc::PROC_PIDTBSDINFO) }?;
    Ok(p.pbi_uid)
}

pub(super) fn control_groups(_pid: u32) -> io::Result<Vec<String>> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn has_terminal_open(_pid: u32) -> io::Result<bool> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(super) fn cwd(pid: u32) -> io::Result<PathBuf> {
    // SAFETY: PROC_PIDVNODEPATHINFO writes a proc_vnodepathinfo, which is plain integers and byte arrays.
    let paths: libc::proc_vnodepathinfo = unsafe { info(pid, libc::PROC_PIDVNODEPATHINFO) }?;
    let bytes = paths.pvi_cdir.vip_path.as_flattened().iter().map(|c| c.cast_unsigned());
    let path: Vec<u8> = bytes.take_while(|b| *b != 0).collect();
    Ok(std::ffi::OsString::from_vec(path).into())
}

pub(super) fn arguments(pid: u32) -> io::Result<Vec<Vec<u8>>> {
    let pid = i32::try_from(pid).map_err(|_| io::Error::from(io::ErrorKind::NotFound))?;
    let mut name = [libc::CTL_KERN, libc::KERN_PROCARGS2, pid];
    // The most that the arguments and the environment of a process can be.
    let mut answer = vec![0_u8; 1 << 20];
    let mut length = answer.len();
    // SAFETY: a name of three numbers, and a buffer of `length` bytes; nothing is set.
    let failed = unsafe {
        libc::sysctl(
            name.as_mut_ptr(),
            3,
            answer.as_mut_ptr().cast(),
            &raw mut length,
            std::ptr::null_mut(),
            0,
        )
    } != 0;
    if failed {
        let error = Errno::last();
        // For a process that is not there the kernel says that it cannot have been asked for.
        let absent = matches!(error, Errno::ESRCH | Errno::EINVAL);
        return Err(if absent { io::ErrorKind::NotFound.into() } else { error.into() });
    }
    answer.truncate(length);
    super::procargs::parse(&answer)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "KERN_PROCARGS2 has another form"))
}

pub(super) fn signal(pid: i32, _start: u64, signal: Signal, group: bool) -> io::Result<bool> {
    // No pidfd here: between the caller's look at the start time and this call lies no system call of ours.
    // SAFETY: kill takes two integers.
    match Errno::result(unsafe { libc::kill(if group { -pid } else { pid }, signal as i32) }) {
        Ok(_) => Ok(true),
        Err(Errno::ESRCH) => Ok(false),
        Err(e) => Err(e.into()),
    }
}
