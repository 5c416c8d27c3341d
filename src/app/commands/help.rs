//! `uta-eval completions` and `uta-eval man`: the flags, for shells and for `man`.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::app::error::Error;
use crate::app::exit_code::ExitCode;
use crate::app::flags::Cli;
use crate::app::stdout::print;
use crate::util::output_file::OutputError;

/// Prints a completion script.
///
/// # Errors
/// When standard output cannot be written.
pub fn completions(shell: Shell) -> Result<ExitCode, Error> {
    let mut command = Cli::command();
    let name = command.get_name().to_string();
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success)
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
    // All commands are on this page; there are no pages of their own to refer to.
    let head = String::from_utf8_lossy(&head).replace("uta\\-eval\\-", "uta\\-eval ");
    page.extend(head.replace("(1)\n", "\n").bytes());
    for subcommand in command.get_subcommands() {
        if subcommand.get_name() == "help" {
            continue;
        }
        let title = format!("uta-eval {}", subcommand.get_name()).to_uppercase();
        page.extend(format!(".SH \"{title}\"\n").bytes());
        let man = clap_mangen::Man::new(subcommand.clone());
        let mut sections = Vec::new();
        man.render_synopsis_section(&mut sections)?;
        man.render_description_section(&mut sections)?;
        if subcommand.get_arguments().next().is_some() {
            man.render_options_section(&mut sections)?;
        }
        // They are parts of this page's section.
        let sections = String::from_utf8_lossy(&sections).replace("\n.SH ", "\n.SS ");
        page.extend(sections.bytes());
    }
    Ok(())
}
