//! Results that several threads write, each element once, into memory that nobody cleared before.
#![allow(unsafe_code)] // Disjoint parts of one allocation, and its length once it is written.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// A row-major matrix that is being written.
pub(super) struct Output<'a, V> {
    pointer: *mut MaybeUninit<V>,
    columns: usize,
    memory: PhantomData<&'a mut [MaybeUninit<V>]>,
}

// SAFETY: threads reach the memory only through `part`, whose callers keep apart.
unsafe impl<V: Send> Sync for Output<'_, V> {}

impl<V> Output<'_, V> {
    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Part of a row, `count` elements from `column` on.
    ///
    /// # Safety
    /// The part lies in the matrix, and nothing else refers to it.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, row: usize, column: usize, count: usize) -> &mut [MaybeUninit<V>] {
        // SAFETY: promised by the caller.
        unsafe {
            let start = self.pointer.add(row * self.columns + column);
            std::slice::from_raw_parts_mut(start, count)
        }
    }
}

/// The matrix [rows, columns] that `write` writes.
///
/// # Safety
/// `write` writes every element.
pub(super) unsafe fn written<V>(
    rows: usize,
    columns: usize,
    write: impl FnOnce(&Output<'_, V>),
) -> Vec<V> {
    let mut values = Vec::with_capacity(rows * columns);
    write(&Output {
        pointer: values.spare_capacity_mut().as_mut_ptr(),
        columns,
        memory: PhantomData,
    });
    // SAFETY: that many have room, and the caller promises that they were written.
    unsafe { values.set_len(rows * columns) };
    values
}
