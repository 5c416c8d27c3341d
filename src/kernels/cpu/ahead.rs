//! Memory that is read or written soon, and is fetched meanwhile.

use std::marker::PhantomData;

/// Bytes.
pub(super) const CACHE_LINE: usize = 64;

/// Rows of memory, equally long and far from each other.
#[derive(Clone, Copy, Default)]
pub(super) struct Rows<'a> {
    /// Address of the first.
    first: usize,
    /// Bytes from one to the next.
    stride: usize,
    /// Cache lines of each.
    lines: usize,
    count: usize,
    memory: PhantomData<&'a ()>,
}

impl<'a> Rows<'a> {
    /// So many rows of `width` elements, each `stride` elements behind the one before.
    pub fn at<T>(first: *const T, width: usize, stride: usize, count: usize) -> Self {
        let lines = (width * size_of::<T>()).div_ceil(CACHE_LINE);
        Self {
            first: first.addr(),
            stride: stride * size_of::<T>(),
            lines,
            count: if lines > 0 { count } else { 0 },
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
    /// Address of the line that is next.
    next: usize,
    /// Lines of its row that are left, itself included.
    left: usize,
    /// Lines that a call asks for.
    each: usize,
    /// Rows behind that one.
    rows: [Rows<'a>; 2],
}

impl<'a> Ahead<'a> {
    /// For so many calls of `fetch`. The first rows come first.
    pub fn new(rows: [Rows<'a>; 2], calls: usize) -> Self {
        let lines: usize = rows.iter().map(Rows::lines).sum();
        let mut ahead = Self {
            next: 0,
            left: 0,
            each: lines.div_ceil(calls.max(1)),
            rows,
        };
        ahead.next_row();
        ahead
    }

    /// Nothing.
    pub fn nothing() -> Self {
        Self::new(Default::default(), 1)
    }

    /// Asks for the next few lines.
    #[inline(always)]
    pub fn fetch(&mut self) {
        self.next_lines(prefetch);
    }

    /// Calls `ask` with the addresses of the next few lines. A tile calls it so often that each of its
    /// instructions counts.
    #[inline(always)]
    fn next_lines(&mut self, mut ask: impl FnMut(usize)) {
        for _ in 0..self.each {
            ask(self.next);
            self.next += CACHE_LINE;
            self.left -= 1;
            if self.left == 0 && !self.next_row() {
                return;
            }
        }
    }

    /// Goes on to the next row. Where there is none, there is nothing more to ask for.
    #[cold]
    fn next_row(&mut self) -> bool {
        let Some(rows) = self.rows.iter_mut().find(|rows| rows.count > 0) else {
            self.each = 0;
            return false;
        };
        (self.next, self.left) = (rows.first, rows.lines);
        rows.first += rows.stride;
        rows.count -= 1;
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that a call asks for.
    fn asked(ahead: &mut Ahead<'_>) -> Vec<usize> {
        let mut lines = Vec::new();
        ahead.next_lines(|line| lines.push(line));
        lines
    }

    /// Three rows of 20 values, which are 80 bytes, and then a part of other memory.
    #[test]
    fn all_lines_are_asked_for_once_and_in_order() {
        let (matrix, other) = ([0f32; 3 * 100], [0u8; 130]);
        let rows = Rows::at(matrix.as_ptr(), 20, 100, 3);
        let mut ahead = Ahead::new([rows, Rows::all(&other)], 4);
        assert_eq!(ahead.each, 3, "9 lines in 4 calls");
        let of_rows = [0, 64, 400, 464, 800, 864].map(|byte| matrix.as_ptr().addr() + byte);
        let of_other = [0, 64, 128].map(|byte| other.as_ptr().addr() + byte);
        let lines: Vec<usize> = (0..4).flat_map(|_| asked(&mut ahead)).collect();
        assert_eq!(lines, [&of_rows[..], &of_other].concat());
        assert!(asked(&mut Ahead::nothing()).is_empty());
        let mut ahead = Ahead::new([Rows::all::<f32>(&[]), rows], 6);
        assert_eq!(asked(&mut ahead), of_rows[..1]);
    }

    #[test]
    fn calls_suffice_for_all_lines_and_then_ask_for_nothing() {
        let (matrix, other) = ([0f32; 3 * 100], [0u8; 130]);
        for calls in 1..12 {
            let rows = Rows::at(matrix.as_ptr(), 20, 100, 3);
            let mut ahead = Ahead::new([rows, Rows::all(&other)], calls);
            let lines: usize = (0..calls).map(|_| asked(&mut ahead).len()).sum();
            assert_eq!(lines, 9, "{calls} calls");
            assert!(asked(&mut ahead).is_empty());
        }
    }
}
