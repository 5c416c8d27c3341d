//! `uta-eval completions` and `uta-eval man`: the flags, for shells and for `man`.

use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::flags::Cli;
use crate::app::stdout::print;
use crate::model::published::Pretrained;
use crate::model::{Layout, ModelConfig};
use crate::util::output_file::OutputError;

/// Prints a completion script.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut command = with_values(Cli::command());
    let name = command.get_name().to_string();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success)
}

/// The command with the words that a flag of free text is mostly given. To the parser they are no
/// list of what is allowed: a model may be a file, and there are GPUs beyond the first.
fn with_values(command: Command) -> Command {
    let mut command = command;
    let flags: Vec<String> = command
        .get_arguments()
        .map(|argument| argument.get_id().to_string())
        .collect();
    for flag in flags {
        if let Some(words) = words_of(&flag) {
            command = command.mut_arg(flag, |argument| {
                argument.value_parser(PossibleValuesParser::new(words))
            });
        }
    }
    let subcommands: Vec<String> = command
        .get_subcommands()
        .map(|subcommand| subcommand.get_name().to_string())
        .collect();
    for name in subcommands {
        command = command.mut_subcommand(name, with_values);
    }
    command
}

fn words_of(flag: &str) -> Option<Vec<&'static str>> {
    let mut words = match flag {
        "model" => ModelConfig::names().collect(),
        "pretrained" => Pretrained::all().iter().map(|known| known.tag).collect(),
        "device" => vec!["auto", "cpu", "cuda"],
        "layout" => Layout::ALL.iter().map(|layout| layout.name()).collect(),
        "batch_size" | "shard" => vec!["auto"],
        _ => return None,
    };
    let mut seen = std::collections::HashSet::new();
    words.retain(|word| seen.insert(*word));
    Some(words)
}

/// Prints the manual page, with one section for each subcommand's flags.
///
/// # Errors
/// When standard output cannot be written.
pub fn man() -> Result<ExitCode, Error> {
    let mut page = Vec::new();
    render(&mut page).map_err(|source| OutputError {
        path: "standard output".into(),
        source,
    })?;
    print(&String::from_utf8_lossy(&page))?;
    Ok(ExitCode::Success)
}

fn render(page: &mut Vec<u8>) -> std::io::Result<()> {
    // Building spreads the flags that every subcommand has.
    let mut command = Cli::command();
    command.build();
    let mut head = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut head)?;
    page.extend(without_references(&head).bytes());
    render_subcommands(&command, page)
}

/// All commands are on this page; there are no pages of their own to refer to.
fn without_references(section: &[u8]) -> String {
    let section = String::from_utf8_lossy(section);
    section
        .replace("uta\\-eval\\-", "uta\\-eval ")
        .replace("(1)\n", "\n")
}

fn render_subcommands(command: &Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    for subcommand in command.get_subcommands() {
        if subcommand.get_name() == "help" {
            continue;
        }
        let name = subcommand.get_bin_name().unwrap_or_default();
        page.extend(format!(".SH \"{}\"\n", name.to_uppercase()).bytes());
        let man = clap_mangen::Man::new(subcommand.clone());
        let mut sections = Vec::new();
        man.render_synopsis_section(&mut sections)?;
        man.render_description_section(&mut sections)?;
        if subcommand.get_arguments().next().is_some() {
            man.render_options_section(&mut sections)?;
        }
        // They are parts of this page's section.
        let sections = without_references(&sections).replace("\n.SH ", "\n.SS ");
        page.extend(sections.bytes());
        render_subcommands(subcommand, page)?;
    }
    Ok(())
}
