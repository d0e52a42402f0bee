//! What runs in the measured sessions: a terminal program that echoes, and floods when it gets a `G`.

use nix::sys::termios;
use std::io::{Read, Write};

/// Bytes of a flood.
pub(crate) const FLOOD: usize = 64 << 20;
/// Comes after a flood, on a line of its own.
pub(crate) const END: &[u8] = b"END-OF-THE-FLOOD";

/// Raw echo; `G` floods.
pub(crate) fn main() {
    let mut stdin = std::io::stdin().lock();
    let mut mode = termios::tcgetattr(&stdin).expect("a terminal");
    termios::cfmakeraw(&mut mode);
    termios::tcsetattr(&stdin, termios::SetArg::TCSANOW, &mode).expect("raw mode");
    let mut out = std::io::stdout().lock();
    let mut buffer = [0u8; 4096];
    loop {
        let n = stdin.read(&mut buffer).unwrap_or(0);
        if n == 0 {
            return;
        }
        let written = if buffer[..n].contains(&b'G') {
            flood(&mut out)
        } else {
            out.write_all(&buffer[..n]).and_then(|()| out.flush())
        };
        if written.is_err() {
            return;
        }
    }
}

/// Nothing, until it is ended.
pub(crate) fn nap() {
    loop {
        nix::unistd::pause();
    }
}

fn flood(out: &mut impl Write) -> std::io::Result<()> {
    let mut block = Vec::new();
    let mut line = 0u64;
    let mut sent = 0;
    while sent < FLOOD {
        block.clear();
        while block.len() < 64 << 10 {
            write!(
                block,
                "{line:010} the quick brown fox jumps over the lazy dog and runs away from it\r\n"
            )?;
            line += 1;
        }
        out.write_all(&block)?;
        sent += block.len();
    }
    out.write_all(END)?;
    out.write_all(b"\r\n")?;
    out.flush()
}
