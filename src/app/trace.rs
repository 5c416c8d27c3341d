//! A Chrome trace of a run: what each thread did, and when.
//!
//! Spans are `tracing`'s, and cost nothing unless [`start`] was called. The file appears when
//! [`finish`] is called, be it by the program's end or by an interrupt, and not before.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use tracing_chrome::{ChromeLayerBuilder, FlushGuard};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::app::error::Error;
use crate::util::output_file::{OutputError, OutputFile};

/// The trace of this process.
static RUNNING: Mutex<Option<Running>> = Mutex::new(None);

struct Running {
    /// Ends the list of events when it is dropped.
    writer: FlushGuard,
    file: Arc<Mutex<Written>>,
}

/// The file, or why it cannot be written any more.
type Written = Result<OutputFile, OutputError>;

/// Starts a trace; there can be one in a process.
///
/// # Errors
/// When the file cannot be written.
pub fn start(path: &Path) -> Result<(), Error> {
    let file = Arc::new(Mutex::new(Ok(OutputFile::create(path)?)));
    let (layer, writer) = ChromeLayerBuilder::new()
        .writer(Events(Arc::clone(&file)))
        .include_args(true)
        .include_locations(false)
        .build();
    // Other crates' spans are not about this program.
    let own = filter_fn(|metadata| metadata.target().starts_with(env!("CARGO_CRATE_NAME")));
    let subscriber = tracing_subscriber::registry().with(layer.with_filter(own));
    tracing::subscriber::set_global_default(subscriber).map_err(|e| Error::System {
        what: "the trace cannot be started",
        source: io::Error::other(e),
    })?;
    if let Ok(mut running) = RUNNING.lock() {
        *running = Some(Running { writer, file });
    }
    Ok(())
}

/// Completes the trace and puts it in place, if there is one.
///
/// # Errors
/// When the disk is full or gone.
pub fn finish() -> Result<(), Error> {
    // Held to the end, so that an interrupt waits until the file is in place.
    let Ok(mut running) = RUNNING.lock() else {
        return Ok(()); // only after a panic, which is told of
    };
    let Some(Running { writer, file }) = running.take() else {
        return Ok(());
    };
    drop(writer);
    match Arc::into_inner(file).and_then(|file| file.into_inner().ok()) {
        Some(written) => Ok(written?.finish()?),
        None => Ok(()), // as above
    }
}

/// Where events are written. An error is kept for [`finish`]: the events' thread could only panic.
struct Events(Arc<Mutex<Written>>);

impl Write for Events {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Ok(mut written) = self.0.lock()
            && let Ok(file) = &mut *written
            && let Err(e) = file.write(bytes)
        {
            *written = Err(e);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
