//! The house: which room may use which, who prints, where `unsafe` is.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The rooms from the ground up. A room uses those in front of it and none behind.
const ROOMS: [&str; 13] = [
    "util",
    "text",
    "picture",
    "kernels",
    "model",
    "checkpoint",
    "metrics",
    "classifier",
    "data",
    "evaluation",
    "inference",
    "report",
    "app",
];

/// Files beside the rooms.
const LOOSE: [&str; 2] = ["lib.rs", "main.rs"];

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// All source files with their path below `src`, without comments and without the unit tests at
/// their end.
fn files() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
                let line = |line: &str| line.split("//").next().unwrap().to_string() + "\n";
                let name = path.strip_prefix(source()).unwrap().to_path_buf();
                files.insert(name, code.lines().map(line).collect());
            }
        }
    }
    assert!(files.len() > 100, "only {} files were found", files.len());
    files
}

/// The room that a file lies in.
fn room(file: &Path) -> String {
    file.iter().next().unwrap().to_str().unwrap().into()
}

/// The module path of a file, without `crate`.
fn module(file: &Path) -> Vec<String> {
    let mut parts: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().into())
        .collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

/// The crate's rooms that a file's code names: by `crate::room`, in a list `crate::{…}`, or by as
/// many `super::` as lead out of its own room.
fn used(file: &Path, code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let first = |path: &str| -> String {
        path.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    for (at, found) in code.match_indices("crate::") {
        let rest = &code[at + found.len()..];
        match rest.strip_prefix('{') {
            None => _ = used.insert(first(rest)),
            Some(list) => {
                let list = list.split('}').next().unwrap();
                used.extend(list.split(',').map(|part| first(part.trim())));
            }
        }
    }
    let depth = module(file).len();
    for (at, _) in code.match_indices("super::") {
        if code[..at].ends_with("super::") {
            continue;
        }
        let mut rest = &code[at..];
        let mut up = 0;
        while let Some(behind) = rest.strip_prefix("super::") {
            (rest, up) = (behind, up + 1);
        }
        // Modules inside a file make a path longer, never shorter.
        if up >= depth {
            used.insert(first(rest));
        }
    }
    used.remove("");
    used
}

#[test]
fn every_file_lies_in_a_room_and_every_room_is_there() {
    let rooms: BTreeSet<String> = files().keys().map(|file| room(file)).collect();
    let expected: BTreeSet<String> = ROOMS.iter().chain(&LOOSE).map(|r| r.to_string()).collect();
    assert_eq!(rooms, expected);
}

#[test]
fn no_room_uses_one_above_it() {
    let floor = |room: &str| ROOMS.iter().position(|other| *other == room);
    let mut arrows = 0;
    for (file, code) in files() {
        let Some(own) = floor(&room(&file)) else {
            continue;
        };
        for other in used(&file, &code) {
            let Some(below) = floor(&other) else {
                panic!("{} names crate::{other}, which is no room", file.display());
            };
            assert!(
                below <= own,
                "{} is in `{}` and uses `{other}`, which is above it",
                file.display(),
                ROOMS[own]
            );
            arrows += usize::from(below < own);
        }
    }
    assert!(arrows > 100, "only {arrows} uses were found");
}

#[test]
fn uses_are_found_in_each_form() {
    let found = |file: &str, code: &str| -> Vec<String> {
        used(Path::new(file), code).into_iter().collect()
    };
    assert_eq!(found("data/a.rs", "use crate::app::Error;"), ["app"]);
    assert_eq!(
        found("data/a.rs", "use crate::{app::Error, util};"),
        ["app", "util"]
    );
    assert_eq!(
        found("data/a.rs", "fn f(x: crate::report::Report) {}"),
        ["report"]
    );
    assert_eq!(found("data/mod.rs", "use super::app::Error;"), ["app"]);
    assert_eq!(found("data/a.rs", "use super::super::app::Error;"), ["app"]);
    assert!(found("data/a.rs", "use super::b;").is_empty());
    assert!(found("data/b/c.rs", "use super::super::d;").is_empty());
}

#[test]
fn only_the_room_app_and_the_binary_print() {
    let prints = [
        "println!",
        "eprintln!",
        "print!(",
        "eprint!(",
        "stdout()",
        "stderr()",
    ];
    for (file, code) in files() {
        let may = room(&file) == "app" || file == Path::new("main.rs");
        // A result may go to /dev/stdout like to any other path.
        let may = may || file == Path::new("util/output_file.rs");
        for print in prints {
            let found = code.contains(print) && !file.ends_with("build.rs");
            assert!(may || !found, "{} has {print}", file.display());
        }
    }
}

#[test]
fn unsafe_code_is_in_the_kernels_only_and_each_use_says_why() {
    let mut uses = 0;
    for (file, code) in files() {
        let found = code.match_indices("unsafe").count();
        if room(&file) != "kernels" {
            assert_eq!(found, 0, "{} has unsafe code", file.display());
        }
        uses += found;
        let text = std::fs::read_to_string(source().join(&file)).unwrap();
        let reasons = text.matches("SAFETY").count() + text.matches("# Safety").count();
        assert!(
            found == 0 || reasons > 0,
            "{} gives no reason",
            file.display()
        );
    }
    assert!(uses > 0);
}

#[test]
fn only_the_hub_uses_the_network() {
    for (file, code) in files() {
        let hub = file.starts_with("checkpoint/hub");
        for library in ["ureq::", "hf_hub::", "std::net", "TcpStream"] {
            assert!(
                hub || !code.contains(library),
                "{} uses {library}",
                file.display()
            );
        }
    }
}

#[test]
fn only_the_flags_know_clap() {
    for (file, code) in files() {
        let may = file.starts_with("app") || file == Path::new("main.rs");
        assert!(
            may || !code.contains("clap::"),
            "{} uses clap",
            file.display()
        );
    }
}

#[test]
fn no_document_has_a_path_but_as_path_text() {
    let mut documents = 0;
    for (file, code) in files() {
        for (at, derive) in code.match_indices("derive(") {
            let rest = &code[at + derive.len()..];
            let (derived, rest) = rest.split_once(")]").unwrap();
            if !derived.contains("Serialize") {
                continue;
            }
            documents += 1;
            // Up to the end of the type, which begins in the first column.
            let kind = rest.split("\n}").next().unwrap();
            for path in ["PathBuf", "OsString", "Path>", "OsStr"] {
                assert!(
                    !kind.contains(path),
                    "{} has {path} in\n{kind}",
                    file.display()
                );
            }
        }
    }
    assert!(documents > 30, "only {documents} were found");
}
