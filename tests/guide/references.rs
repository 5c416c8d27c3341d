use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use clap::CommandFactory;
use regex::Regex;

use super::documents::{Document, documents, guides, readme, root};
use super::{Cli, ExitCode};
use crate::support::run;

/// Lines that a newcomer reads in five minutes.
const README_LINES: usize = 250;

/// All that the documents have in code spans and blocks.
fn code() -> String {
    let mut code = String::new();
    for document in documents() {
        for (_, span) in document.spans() {
            code += &format!("{span}\n");
        }
        for block in document.blocks() {
            code += &block.text;
        }
    }
    code
}

/// The program's commands, the main one first.
fn program() -> Vec<clap::Command> {
    fn collect(command: &clap::Command, all: &mut Vec<clap::Command>) {
        all.push(command.clone());
        let subcommands = command.get_subcommands();
        for subcommand in subcommands.filter(|c| c.get_name() != "help") {
            collect(subcommand, all);
        }
    }
    let mut command = Cli::command();
    command.build();
    let mut all = Vec::new();
    collect(&command, &mut all);
    all
}

/// All flags that begin with two dashes, without them.
fn flags() -> BTreeSet<String> {
    let program = program();
    let arguments = program.iter().flat_map(clap::Command::get_arguments);
    arguments
        .filter_map(|a| a.get_long())
        .map(Into::into)
        .collect()
}

/// A path without `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => assert!(plain.pop(), "{}", path.display()),
            part => plain.push(part),
        }
    }
    plain
}

/// Numbered targets of links, those to other sites left out.
fn links(document: &Document) -> Vec<(usize, String)> {
    let link = Regex::new(r#"\]\(([^)\s]+)\)|(?:src|href)="([^"]+)""#).unwrap();
    let mut links = Vec::new();
    for (line, text) in document.prose() {
        for found in link.captures_iter(text) {
            let target = found.get(1).or(found.get(2)).unwrap().as_str();
            if !target.contains("://") {
                links.push((line, target.to_string()));
            }
        }
    }
    links
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    let mut checked = 0;
    for document in documents() {
        for (line, link) in links(&document) {
            let place = document.at(line);
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let folder = document.path.parent().unwrap();
            let target = match path {
                "" => document.path.clone(),
                path => plain(&folder.join(path)),
            };
            assert!(root().join(&target).exists(), "{place}: no file for {link}");
            if !anchor.is_empty() {
                let there = Document::read(&target).anchors().contains(anchor);
                assert!(there, "{place}: no heading for {link}");
            }
            checked += 1;
        }
    }
    assert!(checked >= 80, "only {checked} links were found");
}

#[test]
fn the_readme_is_short_and_leads_to_every_guide() {
    let readme = readme();
    let lines = readme.text.lines().count();
    assert!(lines <= README_LINES, "it has {lines} lines");
    let links: Vec<String> = links(&readme).into_iter().map(|(_, link)| link).collect();
    let guides = guides();
    assert!(guides.len() >= 6);
    for guide in guides {
        let path = guide.path.to_str().unwrap();
        assert!(links.iter().any(|link| link == path), "no link to {path}");
    }
}

#[test]
fn every_guide_lists_its_sections() {
    for guide in guides() {
        let links: Vec<String> = links(&guide).into_iter().map(|(_, link)| link).collect();
        for anchor in guide
            .anchors()
            .iter()
            .filter(|anchor| !guide.is_title(anchor))
        {
            let listed = links.contains(&format!("#{anchor}"));
            assert!(listed, "{}: no link to #{anchor}", guide.path.display());
        }
    }
}

impl Document {
    /// Whether an anchor is that of the first line.
    fn is_title(&self, anchor: &str) -> bool {
        let title = self.text.lines().next().unwrap_or_default();
        title.to_lowercase().replace(' ', "-") == format!("#-{anchor}")
    }
}

/// The next kind of end. One that is added does not compile until it is here, too.
fn after(code: ExitCode) -> Option<ExitCode> {
    Some(match code {
        ExitCode::Success => ExitCode::Unexpected,
        ExitCode::Unexpected => ExitCode::Usage,
        ExitCode::Usage => ExitCode::Data,
        ExitCode::Data => ExitCode::Checkpoint,
        ExitCode::Checkpoint => ExitCode::Output,
        ExitCode::Output => ExitCode::SkippedPictures,
        ExitCode::SkippedPictures => ExitCode::Failure,
        ExitCode::Failure => ExitCode::PartOfSweep,
        ExitCode::PartOfSweep => ExitCode::Interrupted,
        ExitCode::Interrupted => return None,
    })
}

#[test]
fn the_exit_codes_are_those_of_the_program() {
    let all = std::iter::successors(Some(ExitCode::Success), |code| after(*code));
    let all: Vec<u8> = all.map(|code| code as u8).collect();

    let readme = readme();
    let (_, section) = readme.text.split_once("\n## Exit codes\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let row = Regex::new(r"(?m)^\| (\d+) \| .+ \|$").unwrap();
    let numbers = |captures: regex::Captures| captures[1].parse::<u8>().unwrap();
    let table: Vec<u8> = row.captures_iter(section).map(numbers).collect();
    assert_eq!(table, all);

    let help = run(&["--help"]).ended_with(0).stdout;
    let (_, section) = help.split_once("Exit codes:\n").unwrap();
    let row = Regex::new(r"(?m)^  (\d+)  .").unwrap();
    let table: Vec<u8> = row.captures_iter(section).map(numbers).collect();
    assert_eq!(table, all);
}

#[test]
fn every_flag_that_is_named_exists() {
    let flags = flags();
    let name = Regex::new(r"(?:^|[\s\[(])--([a-z0-9][a-z0-9-]*)").unwrap();
    let short = ["-q", "-v", "-h", "-V"];
    let mut named = 0;
    for document in documents() {
        for (line, span) in document.spans() {
            if !span.starts_with('-') {
                continue;
            }
            for found in name.captures_iter(span) {
                // `--expect…` stands for several.
                let several = span.contains('…');
                let named_by =
                    |flag: &String| *flag == found[1] || (several && flag.starts_with(&found[1]));
                let place = document.at(line);
                assert!(flags.iter().any(named_by), "{place}: there is no {span}");
                named += 1;
            }
            let is_short = span.len() == 2 && !span.ends_with('-');
            assert!(
                !is_short || short.contains(&span),
                "{}: {span}",
                document.at(line)
            );
        }
    }
    assert!(named >= 60, "only {named} flags are named");
}

#[test]
fn every_flag_is_explained_with_its_values() {
    let code = code();
    let words: BTreeSet<&str> = code
        .split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_'))
        .collect();
    for flag in flags() {
        assert!(
            words.contains(format!("--{flag}").as_str()),
            "nothing says what --{flag} is"
        );
    }
    for command in program() {
        for argument in command
            .get_arguments()
            .filter(|a| a.get_action().takes_values())
        {
            for value in argument.get_possible_values() {
                let (id, value) = (argument.get_id(), value.get_name());
                assert!(
                    words.contains(value),
                    "nothing says what {value} is, of {id}"
                );
            }
        }
    }
}

#[test]
fn every_subcommand_is_explained() {
    let code = code();
    let commands = program();
    for command in commands.iter().skip(1) {
        let name = command.get_bin_name().unwrap();
        assert!(code.contains(name), "nothing says what {name} is");
    }
    assert!(commands.len() >= 14);
}
