//! What every room needs and no room owns: arithmetic on vectors, files that appear whole, text for
//! terminals, work in order on several threads. Knows nothing of models, pictures or flags.

/// Short forms of long lists and texts.
pub mod brief;
/// Numbers with the nouns that they count.
pub mod count;
/// Where the bytes written to a path end up.
pub mod destination;
/// Text that a terminal shows and does not obey.
pub mod escape;
/// Bytes and digests as hexadecimal text.
pub mod hex;
/// Work on several threads whose results come in order.
pub mod in_order;
/// Whether the user asked the program to stop.
pub mod interrupt;
/// Locks of files, where there are any.
pub mod lock;
/// The machine's name, processor and clock, and the command line.
pub mod machine;
/// Memory that the process took, and that the system has left.
pub mod memory;
/// A result file, checked early and complete or absent afterwards.
pub mod output_file;
/// Panics of other crates, caught without a message.
pub mod panics;
/// Paths in documents.
pub mod path_text;
/// Files that are read whole.
pub mod regular_file;
/// Headers of safetensors files, with the same bytes for the same content.
pub mod safetensors_header;
/// Bounds how much memory concurrent work takes.
pub mod semaphore;
/// Which known names a mistyped one is like.
pub mod similar;
/// Files that appear whole or not at all.
pub mod temporary_file;
/// Input that cannot be used, and what to do about it.
pub mod usage;
/// Dot product, normalisation and softmax with a fixed order of operations.
pub mod vector;
/// What a user should know that does not stop a run.
pub mod warning;
