//! What an agent says to a hook.

use std::io::{self, Read};

/// More than this is not taken apart: tools' whole inputs and outputs are in it.
const LIMIT: u64 = 32 << 20;

/// Standard input to its end. What is beyond the limit is read and dropped, so that the agent can finish writing.
///
/// # Errors
/// It cannot be read, or was longer.
pub(super) fn read() -> io::Result<Vec<u8>> {
    let mut stdin = io::stdin().lock();
    let mut input = Vec::new();
    stdin.by_ref().take(LIMIT).read_to_end(&mut input)?;
    let rest = io::copy(&mut stdin, &mut io::sink())?;
    if rest > 0 {
        return Err(io::Error::other(format!("it has more than {LIMIT} bytes")));
    }
    Ok(input)
}
