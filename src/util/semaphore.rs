//! Work that takes memory, so much of it at once as there is room for.

use std::sync::{Condvar, Mutex, PoisonError};

/// Room for some work at once, in any unit.
#[derive(Debug)]
pub struct Semaphore {
    whole: u64,
    taken: Mutex<u64>,
    returned: Condvar,
}

/// A part of a semaphore, which returns when it is dropped.
#[derive(Debug)]
pub struct Permit<'a> {
    semaphore: &'a Semaphore,
    size: u64,
}

impl Semaphore {
    pub const fn new(whole: u64) -> Self {
        Self {
            whole,
            taken: Mutex::new(0),
            returned: Condvar::new(),
        }
    }

    /// Waits until there is room. Work larger than the whole is done too, alone.
    pub fn acquire(&self, size: u64) -> Permit<'_> {
        let full = |taken: &mut u64| *taken > 0 && taken.saturating_add(size) > self.whole;
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.returned.wait_while(taken, full);
        *taken.unwrap_or_else(PoisonError::into_inner) += size;
        Permit {
            semaphore: self,
            size,
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let taken = self.semaphore.taken.lock();
        *taken.unwrap_or_else(PoisonError::into_inner) -= self.size;
        self.semaphore.returned.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    #[test]
    fn permits_never_exceed_the_whole_but_for_one_alone() {
        let semaphore = Semaphore::new(10);
        let (taken, most, alone) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
        std::thread::scope(|scope| {
            for size in [3, 4, 5, 25, 6, 25, 1, 10] {
                let (semaphore, taken, most, alone) = (&semaphore, &taken, &most, &alone);
                scope.spawn(move || {
                    for _ in 0..50 {
                        let _permit = semaphore.acquire(size);
                        let now = taken.fetch_add(size, Ordering::SeqCst) + size;
                        if size > 10 {
                            alone.fetch_max(now, Ordering::SeqCst)
                        } else {
                            most.fetch_max(now, Ordering::SeqCst)
                        };
                        taken.fetch_sub(size, Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(most.into_inner() <= 10);
        assert_eq!(alone.into_inner(), 25);
        assert_eq!(*semaphore.taken.lock().unwrap(), 0);
    }
}
