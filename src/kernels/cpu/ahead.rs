//! Memory that is read or written soon, and is fetched meanwhile.

use std::marker::PhantomData;

/// Bytes.
pub(super) const CACHE_LINE: usize = 64;

/// Rows of memory, equally long and far from each other.
#[derive(Clone, Copy, Default)]
pub(super) struct Rows<'a> {
    first: usize,
    stride: usize,
    lines: usize,
    count: usize,
    memory: PhantomData<&'a ()>,
}

impl<'a> Rows<'a> {
    /// So many rows of `width`, each `stride` behind the one before.
    pub fn at<T>(first: *const T, width: usize, stride: usize, count: usize) -> Self {
        Self {
            first: first.addr(),
            stride: stride * size_of::<T>(),
            lines: (width * size_of::<T>()).div_ceil(CACHE_LINE),
            count,
            memory: PhantomData,
        }
    }

    /// All lines of memory.
    pub fn all<T>(memory: &'a [T]) -> Self {
        Self::at(memory.as_ptr(), memory.len(), memory.len(), 1)
    }

    fn lines(&self) -> usize {
        self.lines * self.count
    }
}

/// Asks for rows line by line, so often that all of them are there in time. The processor itself notices
/// only when it is late what is read, and many requests at once have to wait for each other.
pub(super) struct Ahead<'a> {
    rows: [Rows<'a>; 2],
    /// Line of the first row that is next.
    line: usize,
    each: usize,
}

impl<'a> Ahead<'a> {
    /// For so many calls of `fetch`. The first rows come first.
    pub fn new(rows: [Rows<'a>; 2], calls: usize) -> Self {
        let lines: usize = rows.iter().map(Rows::lines).sum();
        Self {
            rows,
            line: 0,
            each: lines.div_ceil(calls.max(1)),
        }
    }

    /// Nothing.
    pub fn nothing() -> Self {
        Self::new(Default::default(), 1)
    }

    /// Asks for the next few lines.
    #[inline(always)]
    pub fn fetch(&mut self) {
        for _ in 0..self.each {
            let [rows, others] = &mut self.rows;
            if rows.count == 0 {
                (*rows, *others) = (*others, Rows::default());
                if rows.count == 0 {
                    self.each = 0;
                    return;
                }
            }
            prefetch(rows.first + self.line * CACHE_LINE);
            self.line += 1;
            if self.line == rows.lines {
                rows.first += rows.stride;
                rows.count -= 1;
                self.line = 0;
            }
        }
    }
}

#[inline(always)]
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
#[allow(unsafe_code)] // An instruction, though a harmless one.
fn prefetch(address: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(std::ptr::without_provenance(address)) };
    }
}
