//! Work that takes memory, so much of it at once as there is room for.

use std::sync::{Condvar, Mutex, PoisonError};

/// Room for some work at once, in any unit.
#[derive(Debug)]
pub struct Budget {
    whole: u64,
    taken: Mutex<u64>,
    returned: Condvar,
}

/// A part of a budget, which returns when it is dropped.
#[derive(Debug)]
pub struct Share<'a> {
    budget: &'a Budget,
    size: u64,
}

impl Budget {
    pub const fn new(whole: u64) -> Self {
        Self {
            whole,
            taken: Mutex::new(0),
            returned: Condvar::new(),
        }
    }

    /// Waits until there is room. Work larger than the whole is done too, alone.
    pub fn share(&self, size: u64) -> Share<'_> {
        let full = |taken: &mut u64| *taken > 0 && taken.saturating_add(size) > self.whole;
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.returned.wait_while(taken, full);
        *taken.unwrap_or_else(PoisonError::into_inner) += size;
        Share { budget: self, size }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        let taken = self.budget.taken.lock();
        *taken.unwrap_or_else(PoisonError::into_inner) -= self.size;
        self.budget.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn shares_never_exceed_the_whole_but_for_one_alone() {
        let budget = Budget::new(10);
        let (taken, most, alone) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for size in [3, 4, 5, 25, 6, 25, 1, 10] {
                let (budget, taken, most, alone) = (&budget, &taken, &most, &alone);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let _share = budget.share(size);
                        let now = taken.fetch_add(size, Ordering::SeqCst) + size;
                        match size > 10 {
                            true => alone.fetch_max(now, Ordering::SeqCst),
                            false => most.fetch_max(now, Ordering::SeqCst),
                        };
                        taken.fetch_sub(size, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 10);
        assert_eq!(alone.into_inner(), 25);
        assert_eq!(*budget.taken.lock().unwrap(), 0);
    }
}
