use std::process::Command;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use regex::Regex;

use super::Cli;
use super::documents::{Block, Document, documents, guides, root};
use super::shell::{self, calls, scripts};
use crate::support::{Folder, run};

/// Subcommands that need nothing but the program itself.
const ALONE: [&str; 5] = ["demo", "schema", "completions", "man", "guide"];

/// The calls of the program in a block.
pub fn calls_in(block: &Block) -> Vec<shell::Command> {
    match block.language.as_str() {
        "sh" => calls(&block.text, block.line),
        "yaml" => {
            let scripts = scripts(&block.text, block.line);
            scripts
                .iter()
                .flat_map(|(line, script)| calls(script, *line))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// Runs a call that needs nothing but the program, and perhaps the project's assets; none otherwise.
/// Returns what it prints.
pub fn run_alone(call: &shell::Command, folder: &Folder) -> Option<String> {
    let words = &call.words;
    let assets = words.iter().any(|word| word.starts_with("assets/"));
    if !assets
        && !words
            .first()
            .is_some_and(|word| ALONE.contains(&word.as_str()))
    {
        return None;
    }
    let folder = if assets { root() } else { folder.path() };
    let mut command = Command::new(env!("CARGO_BIN_EXE_uta-eval"));
    let ran = command.args(words).current_dir(folder).output().unwrap();
    // The demo's pictures are a part of ImageNet.
    let expected = if words[0] == "data" { 1 } else { 0 };
    assert_eq!(ran.status.code(), Some(expected), "{words:?}: {ran:?}");
    Some(String::from_utf8(ran.stdout).unwrap())
}

/// Why the program would not understand these arguments.
fn fault(arguments: &[String]) -> Option<clap::Error> {
    let words = std::iter::once("uta-eval").chain(arguments.iter().map(String::as_str));
    Cli::try_parse_from(words).err()
}

/// Whether a call in the prose only lacks what it leaves open: values in capitals, or all of them.
fn leaves_open(error: &clap::Error) -> bool {
    match error.kind() {
        ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => true,
        ErrorKind::InvalidValue => match error.get(ContextKind::InvalidValue) {
            Some(ContextValue::String(value)) => value.chars().all(|c| c.is_ascii_uppercase()),
            _ => false,
        },
        kind => is_information(kind),
    }
}

fn is_information(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

fn describe(document: &Document, call: &shell::Command, error: &clap::Error) -> String {
    let words = call.words.join(" ");
    format!("{}: uta-eval {words}\n{error}", document.at(call.line))
}

#[test]
fn each_command_in_a_block_is_one_that_the_program_understands() {
    let call = Regex::new("uta-eval +[-a-z]").unwrap();
    let (mut found, mut faults) = (0, Vec::new());
    for document in documents() {
        for block in document.blocks() {
            let calls = calls_in(&block);
            let shown = ["sh", "yaml"].contains(&block.language.as_str());
            let lines = block
                .text
                .lines()
                .filter(|line| shown && !line.starts_with('#'));
            let named: usize = lines.map(|line| call.find_iter(line).count()).sum();
            let through_cargo = block.text.matches("cargo run").count();
            let place = document.at(block.line);
            assert_eq!(
                calls.len(),
                named + through_cargo,
                "{place}: commands are not found"
            );
            found += calls.len();
            let errors = calls
                .iter()
                .filter_map(|call| Some((call, fault(&call.words)?)));
            let errors = errors.filter(|(_, error)| !is_information(error.kind()));
            faults.extend(errors.map(|(call, error)| describe(&document, call, &error)));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(found >= 40, "only {found} commands were found");
}

#[test]
fn each_command_in_the_prose_is_one_that_the_program_understands() {
    let (mut found, mut faults) = (0, Vec::new());
    for document in documents() {
        for (line, span) in document.spans() {
            for mut call in calls(span, line) {
                // `FILE` and `[TOPIC]` stand for anything; `…` for the rest.
                call.words
                    .retain(|word| word != "…" && !word.starts_with('['));
                found += 1;
                let error = fault(&call.words).filter(|error| !leaves_open(error));
                faults.extend(error.map(|error| describe(&document, &call, &error)));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(found >= 10, "only {found} commands were found");
}

#[test]
fn commands_that_need_no_data_run() {
    let folder = Folder::new();
    let mut ran = 0;
    for document in documents() {
        for call in document.blocks().iter().flat_map(calls_in) {
            if let Some(printed) = run_alone(&call, &folder) {
                assert!(!printed.is_empty(), "{}", document.at(call.line));
                ran += 1;
            }
        }
    }
    assert!(ran >= 4, "only {ran} commands were run");
}

#[test]
fn guides_are_listed_and_printed_as_they_are() {
    let guides = guides();
    let list = run(&["guide"]).ended_with(0);
    assert_eq!(list.stderr, "");
    for guide in &guides {
        let topic = guide.path.file_stem().unwrap().to_str().unwrap();
        let summary = guide.text.lines().nth(2).unwrap();
        list.stdout
            .lines()
            .find(|line| line.starts_with(topic) && line.ends_with(summary))
            .unwrap_or_else(|| panic!("{topic} is not listed in\n{}", list.stdout));
        let printed = run(&["guide", topic]).ended_with(0);
        assert_eq!(printed.stdout, guide.text);
        assert_eq!(printed.stderr, "");
    }
    let topics = guides.iter().map(|guide| guide.path.file_stem().unwrap());
    let topics: Vec<&str> = topics.map(|topic| topic.to_str().unwrap()).collect();
    run(&["guide", "date"]).ended_with(2).said(&topics);
}
