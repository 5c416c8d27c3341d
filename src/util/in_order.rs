//! Several workers on one stream of items: results come in the order of the items, and only so many
//! items are under way that memory stays bounded.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

/// Items per worker between the source and the consumer: one in work and one that waits for it.
const UNDER_WAY: usize = 2;

/// Gives each item to whichever worker is free and hands the results to `consume`, in order.
///
/// A single worker works on the calling thread. The source and `consume` are always called there.
///
/// # Errors
/// The first error of `consume`; items behind it may have been worked on for nothing.
pub fn in_order<T: Send, O: Send, E>(
    mut items: impl Iterator<Item = T>,
    workers: &[impl Fn(T) -> O + Sync],
    mut consume: impl FnMut(O) -> Result<(), E>,
) -> Result<(), E> {
    if let [worker] = workers {
        return items.try_for_each(|item| consume(worker(item)));
    }
    let stopped = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (to_workers, work) = channel::<(usize, T)>();
        let (from_workers, done) = channel();
        let work = Mutex::new(work);
        // Moved into the scope, so that the workers' queue ends when this function returns.
        let (work, stopped) = (std::sync::Arc::new(work), &stopped);
        let mut started = 0;
        for worker in workers {
            let (work, from_workers) = (std::sync::Arc::clone(&work), from_workers.clone());
            let thread = std::thread::Builder::new().spawn_scoped(scope, move || {
                loop {
                    let next = work.lock().map(|work| work.recv());
                    let Ok(Ok((place, item))) = next else { return };
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let result = catch_unwind(AssertUnwindSafe(|| worker(item)));
                    if from_workers.send((place, result)).is_err() {
                        return;
                    }
                }
            });
            started += usize::from(thread.is_ok());
        }
        // Where the system starts fewer threads, these do all the work, or else this one.
        if let (0, [worker, ..]) = (started, workers) {
            return items.try_for_each(|item| consume(worker(item)));
        }
        let _stop = StopWhenDropped(stopped);
        let (mut sent, mut consumed) = (0, 0);
        let mut waiting = BTreeMap::new();
        let mut exhausted = false;
        loop {
            if !exhausted && sent - consumed < UNDER_WAY * workers.len() {
                match items.next() {
                    Some(item) => {
                        // Workers only go away before their queue ends when this function does.
                        let _ = to_workers.send((sent, item));
                        sent += 1;
                    }
                    None => exhausted = true,
                }
                waiting.extend(done.try_iter());
            } else if sent > consumed {
                waiting.extend(done.recv());
            } else {
                return Ok(());
            }
            while let Some(result) = waiting.remove(&consumed) {
                consumed += 1;
                consume(result.unwrap_or_else(|panic| resume_unwind(panic)))?;
            }
        }
    })
}

struct StopWhenDropped<'a>(&'a AtomicBool);

impl Drop for StopWhenDropped<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn results_come_in_order_however_long_each_takes() {
        for count in 1..5 {
            let slow_first = |i: u64| {
                std::thread::sleep(std::time::Duration::from_micros(if i.is_multiple_of(3) {
                    900
                } else {
                    5
                }));
                i * i
            };
            let mut seen = Vec::new();
            let result = in_order(0..50, &vec![slow_first; count], |square| {
                seen.push(square);
                Ok::<(), ()>(())
            });
            assert_eq!(result, Ok(()));
            assert_eq!(seen, (0..50).map(|i| i * i).collect::<Vec<_>>());
        }
    }

    #[test]
    fn only_a_few_items_are_under_way() {
        let (taken, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let items = (0..100).inspect(|_| {
            let under_way = taken.fetch_add(1, Ordering::SeqCst) - given.load(Ordering::SeqCst);
            assert!(under_way < 3 * UNDER_WAY, "{under_way}");
        });
        let workers = vec![|i: i32| i; 3];
        let result = in_order(items, &workers, |_| {
            given.fetch_add(1, Ordering::SeqCst);
            Ok::<(), ()>(())
        });
        assert_eq!(result, Ok(()));
        assert_eq!(given.into_inner(), 100);
    }

    #[test]
    fn an_error_stops_everything_and_is_the_first_in_order() {
        let mut seen = Vec::new();
        let result = in_order(0.., &[|i: i32| i; 3], |i| {
            seen.push(i);
            if i >= 7 { Err(i) } else { Ok(()) }
        });
        assert_eq!(result, Err(7));
        assert_eq!(seen, (0..8).collect::<Vec<_>>());
    }

    #[test]
    fn a_worker_that_panics_is_not_waited_for() {
        let result = catch_unwind(|| {
            let fails_at_five = |i: i32| assert_ne!(i, 5, "a defect");
            in_order(0..20, &[fails_at_five; 2], |()| Ok::<(), ()>(()))
        });
        assert!(result.is_err());
    }
}
