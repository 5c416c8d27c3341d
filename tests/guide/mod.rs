//! The README and the guides say what is true: their commands can be run, their flags and links
//! exist, and their examples are what the program writes.

use uta_eval::app::exit_code::ExitCode;
use uta_eval::app::flags::Cli;

/// Reading the README and the guides.
mod documents;

/// Scripts of a shell as the commands that they run.
mod shell;

/// Each command that is shown is run or parsed.
mod commands;

/// Outputs and files that are shown.
mod examples;

/// Links, flags and exit codes.
mod references;
