//! What this process took of the machine's memory.

use std::sync::atomic::{AtomicU64, Ordering};

/// The largest resident set so far, in bytes, pages of mapped checkpoints included. `None` where
/// the system does not tell.
pub fn peak() -> Option<u64> {
    // Linux counts a process's usage from its parent's on, as large as that was; its own mark
    // begins anew with the program.
    let own = std::fs::read_to_string("/proc/self/status").ok();
    let peak = own
        .and_then(|status| kib(&status, "VmHWM:"))
        .or_else(usage)?;
    // The mark is a sum of counters that are a few pages off at times.
    static LARGEST: AtomicU64 = AtomicU64::new(0);
    Some(LARGEST.fetch_max(peak, Ordering::Relaxed).max(peak))
}

/// The largest resident set by the system's accounts of usage.
fn usage() -> Option<u64> {
    #[cfg(unix)]
    {
        use nix::sys::resource::{UsageWho, getrusage};
        let peak = getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss();
        // Linux and the BSDs count KiB, Apple's systems bytes.
        let unit = if cfg!(target_vendor = "apple") {
            1
        } else {
            1024
        };
        u64::try_from(peak).ok().map(|peak| peak * unit)
    }
    #[cfg(not(unix))]
    None
}

/// Bytes that the system could still give to programs. `None` where it does not tell.
pub fn available() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    kib(&text, "MemAvailable:")
}

/// The bytes that a line of the system's tables tells in KiB.
fn kib(table: &str, name: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix(name))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, unix))]
mod tests {
    #[test]
    fn the_peak_is_at_least_what_is_in_use_and_never_falls() {
        let before = super::peak().unwrap();
        let touched = vec![1u8; 64 << 20];
        assert!(touched.iter().all(|byte| *byte == 1));
        let during = super::peak().unwrap();
        assert!(during >= 64 << 20 && during >= before);
        drop(touched);
        assert!(super::peak().unwrap() >= during);
    }
}
