//! Results that several threads write, each element once, into memory that nobody cleared before.
#![allow(unsafe_code)] // Disjoint parts of one allocation, and its length once it is written.

use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::ops::Range;

use super::ahead::Rows;

/// A matrix that is being written, or added to.
pub(super) struct Output<'a, V> {
    pointer: *mut MaybeUninit<V>,
    columns: usize,
    order: Order,
    memory: PhantomData<&'a mut [MaybeUninit<V>]>,
}

/// Where the elements of a matrix lie.
#[derive(Debug, Clone, Copy)]
pub(super) enum Order {
    /// Row by row.
    Rows,
    /// [pictures, heads, tokens, head_dim]: rows are tokens of pictures, and columns channels of heads.
    Heads { tokens: usize, head_dim: usize },
}

/// Rows that lie at equal distances.
pub(super) struct Run {
    /// Where the first one begins.
    pub first: usize,
    /// From one to the next.
    pub stride: usize,
    pub count: usize,
}

// SAFETY: threads reach the memory only through `at` and `part`, whose callers keep apart.
unsafe impl<V: Send> Sync for Output<'_, V> {}

impl<'a, V> Output<'a, V> {
    /// A matrix [rows, columns] that holds values.
    pub fn holding(values: &'a mut [V], columns: usize) -> Self {
        Self {
            pointer: values.as_mut_ptr().cast(),
            columns,
            order: Order::Rows,
            memory: PhantomData,
        }
    }

    /// Columns of the matrix.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Columns of some rows, of a matrix that lies row by row, as memory that is written soon.
    pub fn rows(&self, rows: Range<usize>, columns: Range<usize>) -> Rows<'_> {
        let first = self
            .pointer
            .wrapping_add(rows.start * self.columns + columns.start);
        Rows::at(first, columns.len(), self.columns, rows.len())
    }

    /// How many of `count` columns lie side by side, from `column` on.
    #[inline(always)]
    pub fn together(&self, column: usize, count: usize) -> usize {
        match self.order {
            Order::Rows => count,
            Order::Heads { head_dim, .. } => count.min(head_dim - column % head_dim),
        }
    }

    /// Where rows begin, as runs of equal distances. To be added to the place of a column.
    #[inline(always)]
    pub fn runs(&self, rows: Range<usize>) -> impl Iterator<Item = Run> {
        let (order, columns) = (self.order, self.columns);
        let mut row = rows.start;
        std::iter::from_fn(move || {
            let left = rows.end - row;
            let run = match order {
                Order::Rows => Run {
                    first: row * columns,
                    stride: columns,
                    count: left,
                },
                Order::Heads { tokens, head_dim } => {
                    let token = row % tokens;
                    Run {
                        first: (row - token) * columns + token * head_dim,
                        stride: head_dim,
                        count: left.min(tokens - token),
                    }
                }
            };
            row += run.count;
            (left > 0).then_some(run)
        })
    }

    /// Where a column is in the rows.
    #[inline(always)]
    pub fn column_place(&self, column: usize) -> usize {
        match self.order {
            Order::Rows => column,
            Order::Heads { tokens, head_dim } => {
                column / head_dim * tokens * head_dim + column % head_dim
            }
        }
    }

    /// `count` elements that lie side by side.
    ///
    /// # Safety
    /// They lie in the matrix, and nothing else refers to them.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn at(&self, place: usize, count: usize) -> &mut [MaybeUninit<V>] {
        // SAFETY: promised by the caller.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(place), count) }
    }

    /// Part of a row of a matrix that lies row by row, `count` elements from `column` on.
    ///
    /// # Safety
    /// The part lies in the matrix, and nothing else refers to it.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)]
    pub unsafe fn part(&self, row: usize, column: usize, count: usize) -> &mut [MaybeUninit<V>] {
        // SAFETY: promised by the caller.
        unsafe { self.at(row * self.columns + column, count) }
    }
}

/// The matrix [rows, columns] that `write` writes.
///
/// # Safety
/// `write` writes every element.
pub(super) unsafe fn written<V>(
    rows: usize,
    columns: usize,
    order: Order,
    write: impl FnOnce(&Output<'_, V>),
) -> Vec<V> {
    let mut values = Vec::with_capacity(rows * columns);
    write(&Output {
        pointer: values.spare_capacity_mut().as_mut_ptr(),
        columns,
        order,
        memory: PhantomData,
    });
    // SAFETY: that many have room, and the caller promises that they were written.
    unsafe { values.set_len(rows * columns) };
    values
}
