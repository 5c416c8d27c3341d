//! The micro-batch: how many pictures go through a device together, and fewer of them when its memory
//! is short.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Error, Result, bail};

/// The size of a device's micro-batches, in pictures. The device's replicas share it. It only ever
/// shrinks.
#[derive(Debug)]
pub struct MicroBatch {
    pictures: AtomicUsize,
    /// What a user was last told.
    told: AtomicUsize,
}

impl MicroBatch {
    pub fn new(pictures: usize) -> Self {
        Self {
            pictures: AtomicUsize::new(pictures),
            told: AtomicUsize::new(pictures),
        }
    }

    /// How many they are now; at least one.
    pub fn pictures(&self) -> usize {
        self.pictures.load(Ordering::Relaxed).max(1)
    }

    /// How many of so many items to compute next: equal parts, rather than a small one at the end.
    pub fn part(&self, items: usize) -> usize {
        let parts = items.div_ceil(self.pictures()).max(1);
        items.div_ceil(parts)
    }

    /// Calls `compute` with consecutive parts of `items`, of at most so many items of `size` values,
    /// and joins the results, one for each item. When memory is short, the part is halved and tried
    /// again, and later parts are no larger.
    ///
    /// # Errors
    /// Other errors of `compute`, and a shortage of memory for a single item.
    pub fn in_parts<T>(
        &self,
        items: &[u8],
        size: usize,
        mut compute: impl FnMut(&[u8]) -> Result<Vec<T>>,
    ) -> Result<Vec<T>> {
        let mut results = Vec::with_capacity(items.len() / size);
        let mut rest = items;
        while !rest.is_empty() {
            let count = self.part(rest.len() / size);
            let (part, behind) = rest.split_at(count * size);
            match compute(part) {
                Ok(part) if part.len() == count => results.extend(part),
                Ok(part) => bail!("{} results for {count} pictures", part.len()),
                Err(error) if count > 1 && is_out_of_memory(&error) => {
                    self.pictures.fetch_min(count / 2, Ordering::Relaxed);
                    continue;
                }
                Err(error) => return Err(error),
            }
            rest = behind;
        }
        Ok(results)
    }

    /// The number, if it has shrunk since it was last asked for.
    pub fn reduced(&self) -> Option<usize> {
        let now = self.pictures.load(Ordering::Relaxed);
        (self.told.swap(now, Ordering::Relaxed) != now).then_some(now)
    }
}

/// Whether a computation failed because the device's memory did not suffice.
pub fn is_out_of_memory(error: &Error) -> bool {
    // The driver's and cuBLAS's codes, by name: their types exist only where CUDA is compiled in.
    let text = error.to_string();
    text.contains("OUT_OF_MEMORY") || text.contains("ALLOC_FAILED")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn out_of_memory() -> Error {
        Error::Cuda("DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into())
    }

    /// Doubles each byte, if there are at most `most` of them.
    fn small(most: usize) -> impl FnMut(&[u8]) -> Result<Vec<u16>> {
        move |items| {
            if items.len() <= most {
                Ok(items.iter().map(|i| 2 * u16::from(*i)).collect())
            } else {
                Err(out_of_memory())
            }
        }
    }

    #[test]
    fn nothing_is_lost_or_doubled_when_memory_is_short() {
        let items: Vec<u8> = (0..=255).collect();
        let doubled: Vec<u16> = (0..256).map(|i| 2 * i).collect();
        for most in [1, 2, 3, 7, 64, 255, 256] {
            for first in [1, 5, 100, 256, 1000] {
                let micro_batch = MicroBatch::new(first);
                assert_eq!(
                    micro_batch.in_parts(&items, 1, small(most)).unwrap(),
                    doubled
                );
            }
        }
    }

    #[test]
    fn parts_are_of_equal_size() {
        let micro_batch = MicroBatch::new(9);
        assert_eq!(
            [0, 1, 9, 10, 16, 64].map(|n| micro_batch.part(n)),
            [0, 1, 9, 5, 8, 8]
        );
        assert_eq!(MicroBatch::new(usize::MAX).part(64), 64);
    }

    #[test]
    fn what_has_shrunk_stays_small_and_is_told_once() {
        let micro_batch = MicroBatch::new(100);
        assert_eq!(micro_batch.reduced(), None);
        micro_batch.in_parts(&[0; 100], 1, small(30)).unwrap();
        assert_eq!(micro_batch.reduced(), Some(25));
        assert_eq!(micro_batch.reduced(), None);
        let mut calls = 0;
        micro_batch
            .in_parts(&[0; 100], 1, |items| {
                calls += 1;
                small(30)(items)
            })
            .unwrap();
        assert_eq!(calls, 4);
        assert_eq!(micro_batch.reduced(), None);
    }

    #[test]
    fn a_single_picture_that_does_not_fit_is_an_error() {
        let error = MicroBatch::new(8)
            .in_parts(&[0; 8], 1, small(0))
            .unwrap_err();
        assert!(is_out_of_memory(&error));
    }

    #[test]
    fn other_errors_are_not_tried_again() {
        let mut calls = 0;
        let result = MicroBatch::new(8).in_parts::<()>(&[0; 8], 1, |_| {
            calls += 1;
            bail!("another defect")
        });
        assert!(result.is_err());
        assert_eq!(calls, 1);
    }
}
