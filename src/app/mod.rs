//! The command line: flags, settings, what each command does, and everything that is printed.

/// How progress bars look.
mod bars;
/// What each command does.
pub mod commands;
/// Progress and warnings on standard error.
pub mod console;
/// Panics, told like errors.
pub mod defects;
/// Errors as the command line meets them, with hints and exit codes.
pub mod error;
/// How the program ends.
pub mod exit_code;
/// The flags, as clap reads them.
pub mod flags;
/// The guides, inside the program.
pub mod guide;
/// A result as JSON, as text, or as both.
pub mod json_output;
/// Validated settings, made from the flags once.
pub mod settings;
/// What an interrupt does.
pub mod signals;
/// Standard error.
pub mod stderr;
/// Standard output.
pub mod stdout;
/// What a mistyped command line may have meant.
pub mod suggestions;
/// A suite's file.
pub mod suite_file;
/// A sweep's file as command lines.
pub mod sweep_file;
/// What each thread did, and when, as a Chrome trace.
pub mod trace;
