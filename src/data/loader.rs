//! The pipeline: pictures are read, decoded and resized ahead, and arrive as batches in order.
//!
//! The workers are a thread pool of their own, so that they never wait behind the model's work or
//! it behind theirs. A bounded queue of batches keeps memory independent of the data set's size.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use tracing::info_span;

use super::containers::read::{Found, PictureReader};
use super::file_state::FileStates;
use super::sample::{Sample, Samples, Storage};
use super::unreadable::{Fault, Unreadable, patiently};
use crate::picture::{PictureError, Preprocessor, Scratch};
use crate::util::panics;
use crate::util::semaphore::{Permit, Semaphore};

/// Batches that are decoded ahead of the one being evaluated.
const BATCHES_AHEAD: usize = 2;

/// Bytes of encoded pictures that are read ahead of the workers, or a single larger one.
static READ_AHEAD: Semaphore = Semaphore::new(256 << 20);

/// How pictures are loaded.
#[derive(Debug, Clone, Copy)]
pub struct LoaderSettings {
    /// Pictures in a batch; at least one.
    pub batch_size: usize,
    /// Threads that decode; at least one.
    pub workers: usize,
}

/// Some consecutive pictures of a data set.
#[derive(Debug, Default)]
pub struct Batch {
    /// Crops, one after the other, each `size * size * 3` bytes.
    pub pixels: Vec<u8>,
    /// The samples that the crops are of.
    pub samples: Vec<Sample>,
    /// Pictures of this batch that could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Names of pictures whose files are other ones now, or were written to, since they were listed.
    pub changed: Vec<Arc<str>>,
}

/// An iterator over the batches of a data set, in file order. Dropping it stops the workers.
pub struct Loader {
    batches: Receiver<Pending>,
}

/// A batch whose pictures are on their way.
struct Pending {
    samples: Samples,
    /// Each picture's place in the batch, and its crop or why there is none.
    crops: Receiver<(usize, Loaded)>,
    crop_bytes: usize,
}

/// A picture's crop or why there is none, and whether its file changed since it was listed.
struct Loaded {
    crop: Result<Vec<u8>, (String, Fault)>,
    changed: bool,
}

impl Loaded {
    /// Of an encoded picture, or of an error of reading it.
    fn of(read: std::io::Result<(&[u8], Found)>, preprocessor: Preprocessor) -> Self {
        match read {
            Ok((bytes, found)) => {
                // What a file is torn to while it is written says nothing of the picture.
                let fault = if found.changed {
                    Fault::System
                } else {
                    Fault::Picture
                };
                Self {
                    crop: crop(bytes, preprocessor).map_err(|reason| (reason, fault)),
                    changed: found.changed,
                }
            }
            Err(e) => Self {
                crop: Err((e.to_string(), Fault::of(&e))),
                changed: false,
            },
        }
    }
}

impl Loader {
    /// Starts loading. `states` are those of the files when they were listed.
    ///
    /// # Errors
    /// When the threads cannot be started.
    pub fn start(
        samples: Samples,
        states: FileStates,
        preprocessor: Preprocessor,
        settings: LoaderSettings,
    ) -> std::io::Result<Self> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(settings.workers)
            .thread_name(|i| format!("loader-{i}"))
            // It was told of; the picture counts as one that its worker left.
            .panic_handler(|_| ())
            .build()
            .map_err(|e| std::io::Error::other(e.to_string()))?;
        let (sender, batches) = sync_channel(BATCHES_AHEAD);
        std::thread::Builder::new()
            .name("loader".into())
            .spawn(move || {
                feed(
                    &samples,
                    &states,
                    preprocessor,
                    settings.batch_size,
                    &pool,
                    &sender,
                );
            })?;
        Ok(Self { batches })
    }
}

/// Hands batch after batch to the workers, waiting when the queue is full. No worker ever waits.
fn feed(
    samples: &Samples,
    states: &FileStates,
    preprocessor: Preprocessor,
    batch_size: usize,
    pool: &rayon::ThreadPool,
    batches: &SyncSender<Pending>,
) {
    let mut reader = PictureReader::expecting(states.clone());
    for first in (0..samples.len()).step_by(batch_size) {
        let batch = samples.part(first..samples.len().min(first + batch_size));
        let (sender, crops) = channel();
        let pending = Pending {
            samples: batch.clone(),
            crops,
            crop_bytes: preprocessor.crop_bytes(),
        };
        // Queued before its pictures are spawned: a full queue holds the work back.
        if batches.send(pending).is_err() {
            return; // nobody is listening any more
        }
        let sender: Arc<Sender<_>> = Arc::new(sender);
        for (place, sample) in batch.iter().enumerate() {
            // A row follows from those before it; other pictures the workers read side by side.
            let row = match &sample.storage {
                Storage::Table(_) => Some(read_ahead(&mut reader, sample)),
                Storage::File(_) | Storage::Archive(_) => None,
            };
            let (batch, sender, states) = (batch.clone(), Arc::clone(&sender), states.clone());
            pool.spawn_fifo(move || {
                let sample = &batch[place];
                let _span = info_span!("load", picture = %sample.name).entered();
                let loaded = match row {
                    Some(Ok((bytes, found, _permit))) => {
                        Loaded::of(Ok((&bytes, found)), preprocessor)
                    }
                    Some(Err(e)) => Loaded::of(Err(e), preprocessor),
                    None => load_expecting(sample, states, preprocessor),
                };
                // The receiver is gone when the evaluation has stopped early.
                let _ = sender.send((place, loaded));
            });
        }
    }
}

/// Reads an encoded picture, with a share of the memory for pictures that no worker has yet.
/// Workers that are busy with large pictures hold the reading back.
fn read_ahead(
    reader: &mut PictureReader,
    sample: &Sample,
) -> std::io::Result<(Vec<u8>, Found, Permit<'static>)> {
    let mut bytes = Vec::new();
    let found = patiently(|| reader.read(&sample.storage, &mut bytes))?;
    let share = READ_AHEAD.acquire(bytes.len() as u64);
    Ok((bytes, found, share))
}

/// Reads one picture and crops it, outside the pipeline as well.
///
/// # Errors
/// Why it cannot be read, without its path.
pub fn load(sample: &Sample, preprocessor: Preprocessor) -> Result<Vec<u8>, String> {
    let loaded = load_expecting(sample, FileStates::default(), preprocessor);
    loaded.crop.map_err(|(reason, _)| reason)
}

fn load_expecting(sample: &Sample, states: FileStates, preprocessor: Preprocessor) -> Loaded {
    thread_local! {
        static BYTES: RefCell<Vec<u8>> = RefCell::default();
    }
    BYTES.with_borrow_mut(|bytes| {
        let mut reader = PictureReader::expecting(states);
        let read = || patiently(|| reader.read(&sample.storage, bytes));
        let found = info_span!("read").in_scope(read);
        Loaded::of(found.map(|found| (&bytes[..], found)), preprocessor)
    })
}

/// The crop of an encoded picture, or why there is none.
fn crop(bytes: &[u8], preprocessor: Preprocessor) -> Result<Vec<u8>, String> {
    thread_local! {
        static SCRATCH: RefCell<Scratch> = RefCell::default();
    }
    let _span = info_span!("decode and crop").entered();
    SCRATCH.with_borrow_mut(|scratch| {
        let mut crop = vec![0; preprocessor.crop_bytes()];
        panics::catch(|| preprocessor.crop(bytes, &mut crop, scratch))
            .unwrap_or_else(|| {
                *scratch = Scratch::default();
                Err(PictureError::Corrupt {
                    reason: "the decoder failed on it".into(),
                })
            })
            .map_err(|e| e.to_string())?;
        Ok(crop)
    })
}

/// As [`load`], for a file.
///
/// # Errors
/// Why it cannot be read, without its path.
pub fn load_one(path: &Path, preprocessor: Preprocessor) -> Result<Vec<u8>, String> {
    load(&Sample::file(path.into(), 0), preprocessor)
}

impl Iterator for Loader {
    type Item = Batch;

    fn next(&mut self) -> Option<Batch> {
        let _span = info_span!("wait for pictures").entered();
        let pending = self.batches.recv().ok()?;
        let samples = &pending.samples;
        let mut crops: Vec<Option<Loaded>> = samples.iter().map(|_| None).collect();
        for (index, loaded) in pending.crops {
            crops[index] = Some(loaded);
        }
        let mut batch = Batch::default();
        batch.pixels.reserve(pending.crop_bytes * crops.len());
        for (sample, loaded) in samples.iter().zip(crops) {
            let loaded = loaded.unwrap_or_else(|| Loaded {
                crop: Err(("its worker stopped".into(), Fault::System)),
                changed: false,
            });
            if loaded.changed {
                batch.changed.push(Arc::clone(sample.name.whole()));
            }
            match loaded.crop {
                Ok(crop) => {
                    batch.pixels.extend_from_slice(&crop);
                    batch.samples.push(sample.clone());
                }
                Err((reason, fault)) => {
                    batch.unreadable.push(Unreadable::of(sample, reason, fault));
                }
            }
        }
        Some(batch)
    }
}
