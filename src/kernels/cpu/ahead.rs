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
    rows: [Rows<'a>; 2],
    /// The line of the first row that is next.
    line: usize,
    /// Lines that a call asks for.
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
            match self.next_line() {
                Some(address) => prefetch(address),
                None => self.each = 0,
            }
        }
    }

    #[inline(always)]
    fn next_line(&mut self) -> Option<usize> {
        let [rows, others] = &mut self.rows;
        if rows.count == 0 {
            (*rows, *others) = (*others, Rows::default());
            if rows.count == 0 {
                return None;
            }
        }
        let address = rows.first + self.line * CACHE_LINE;
        self.line += 1;
        if self.line == rows.lines {
            rows.first += rows.stride;
            rows.count -= 1;
            self.line = 0;
        }
        Some(address)
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

    /// Three rows of 20 values, which are 80 bytes, and then a part of other memory.
    #[test]
    fn all_lines_are_asked_for_once_and_in_order() {
        let (matrix, other) = ([0f32; 3 * 100], [0u8; 130]);
        let rows = Rows::at(matrix.as_ptr(), 20, 100, 3);
        let mut ahead = Ahead::new([rows, Rows::all(&other)], 4);
        assert_eq!(ahead.each, 3, "9 lines in 4 calls");
        let of_rows = [0, 64, 400, 464, 800, 864].map(|byte| matrix.as_ptr().addr() + byte);
        let of_other = [0, 64, 128].map(|byte| other.as_ptr().addr() + byte);
        let lines: Vec<usize> = std::iter::from_fn(|| ahead.next_line()).collect();
        assert_eq!(lines, [&of_rows[..], &of_other].concat());
        assert_eq!(Ahead::nothing().next_line(), None);
        assert_eq!(
            Ahead::new([Rows::all::<f32>(&[]), rows], 1).next_line(),
            Some(of_rows[0])
        );
    }

    #[test]
    fn calls_after_the_last_line_ask_for_nothing() {
        let memory = [0u8; 100];
        let mut ahead = Ahead::new([Rows::all(&memory), Rows::default()], 1);
        (0..5).for_each(|_| ahead.fetch());
        assert_eq!((ahead.next_line(), ahead.each), (None, 0));
    }
}
