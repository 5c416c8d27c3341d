//! Parses the command line, runs it, and turns an error into a message and an exit code.

use std::process::ExitCode;

use clap::Parser;
use uta_eval::app::commands;
use uta_eval::app::console::Talk;
use uta_eval::app::defects;
use uta_eval::app::flags::{BEGIN, Cli, TalkArgs};
use uta_eval::app::settings::Settings;
use uta_eval::app::suggestions::with_suggestion;
use uta_eval::app::trace;
use uta_eval::app::{signals, stderr};
use uta_eval::kernels::keep_freed_memory;

// Blocks of activations come and go by the hundred; this allocator can keep their pages, where the
// system's returns them and takes the time to clear new ones.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    defects::guard(program)
}

fn program() -> ExitCode {
    keep_freed_memory();
    // A trace that cannot be completed then has no one to tell.
    let finish_trace = || drop(trace::finish());
    // Without the handler an interrupt would only leave temporary files behind.
    let _ = signals::handle(finish_trace);
    if std::env::args_os().len() <= 1 {
        stderr::lines(BEGIN);
        return uta_eval::app::exit_code::ExitCode::Usage.into();
    }
    let cli = Cli::try_parse().unwrap_or_else(|error| with_suggestion(error).exit());
    talk(cli.talk).choose();
    match Settings::new(cli).and_then(commands::run) {
        Ok(code) => code.into(),
        Err(error) => {
            stderr::error(&error.with_causes(), error.hint().as_deref());
            error.exit_code().into()
        }
    }
}

fn talk(args: TalkArgs) -> Talk {
    if args.quiet {
        Talk::Quiet
    } else if args.verbose {
        Talk::Verbose
    } else {
        Talk::Normal
    }
}
