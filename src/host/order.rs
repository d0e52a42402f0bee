//! Taking the start order.

use crate::paths::{Paths, order_names};
use crate::sys::volatile;
use crate::wire::order::StartOrder;
use std::io;

/// Whether a text can be a session's id: it becomes part of paths.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == 8 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Takes the order of this session. Whoever renames it first has decided whether this start happens: an order that
/// was withdrawn, or taken by another host, is an error here.
pub(super) fn take(id: &str) -> Result<StartOrder, String> {
    let paths = Paths::find().map_err(|e| e.to_string())?;
    let folder = paths.orders().map_err(|e| e.to_string())?.ok_or("no folder in memory for start orders")?;
    let (new, taken) = order_names(&folder, id);
    volatile::rename(&new, &taken).map_err(|e| {
        if e.kind() == io::ErrorKind::NotFound {
            format!("no start order {}: withdrawn, or taken already", new.display())
        } else {
            format!("{}: {e}", new.display())
        }
    })?;
    let bytes = volatile::read(&taken).map_err(|e| format!("{}: {e}", taken.display()))?;
    let order = StartOrder::decode(&bytes).map_err(|e| format!("{}: {e}", taken.display()))?;
    if order.id != id {
        return Err(format!("{}: the order is for another session", taken.display()));
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_never_a_path() {
        assert!(is_id("0badcafe"));
        for bad in ["", "../../..", "0BADCAFE", "0badcafe0", "/badcafe"] {
            assert!(!is_id(bad), "{bad}");
        }
    }
}
