//! The one place that maps files into memory.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use memmap2::Mmap;

/// Maps a whole file read-only.
///
/// # Errors
/// What the operating system returns.
pub(super) fn map(file: &File) -> io::Result<Mmap> {
    // SAFETY: the map is read-only and only read as plain bytes. If another process changes or
    // truncates the file meanwhile, its bytes change (or the system stops this process with a bus
    // error); that is the price of not copying gigabytes, and the same one PyTorch pays.
    unsafe { Mmap::map(file) }
}
