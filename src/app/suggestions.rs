//! What a mistyped command line may have meant, where clap does not know.

use clap::CommandFactory;
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::app::flags::Cli;
use crate::util::similar::similar;

/// Words that other programs use for what this one calls otherwise.
const OTHER_WORDS: [(&str, &str); 12] = [
    ("eval", EVALUATE),
    ("evaluate", EVALUATE),
    ("run", EVALUATE),
    ("test", EVALUATE),
    ("diff", "uta-eval compare A.json B.json"),
    ("info", "uta-eval inspect FILE"),
    ("list", "uta-eval models"),
    ("predict", "uta-eval classify PICTURE --labels a,b"),
    ("show", "uta-eval inspect FILE"),
    ("validate", "uta-eval data check PATH"),
    ("verify", "uta-eval inspect FILE"),
    ("version", "uta-eval --version"),
];

/// The main job has no name.
const EVALUATE: &str = "uta-eval --imagenet-path DIR --ckpt-path FILE";

/// An error with the command that its unknown word may have meant, in place of one that only looks like
/// it.
pub fn with_suggestion(mut error: clap::Error) -> clap::Error {
    let word = match (error.kind(), error.get(ContextKind::InvalidSubcommand)) {
        (ErrorKind::InvalidSubcommand, Some(ContextValue::String(word))) => word.clone(),
        _ => return error,
    };
    if let Some(meant) = meant_by(&word) {
        let tip = StyledStr::from(format!("did you mean '{meant}'?"));
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// What a word that is no command may have meant, where that is not just a command like it.
fn meant_by(word: &str) -> Option<String> {
    let known = OTHER_WORDS.iter().find(|(other, _)| *other == word);
    if let Some((_, meant)) = known {
        return Some((*meant).into());
    }
    if word.contains(['/', '\\']) || std::path::Path::new(word).exists() {
        return Some(format!("uta-eval --imagenet-path {word} --ckpt-path FILE"));
    }
    let main = Cli::command();
    let inner = main.get_subcommands().flat_map(|command| {
        let inner = command.get_subcommands().map(clap::Command::get_name);
        inner.map(|name| (name, command.get_name()))
    });
    let inner: Vec<(&str, &str)> = inner.collect();
    let [name] = similar(word, inner.iter().map(|(name, _)| *name))[..] else {
        return None;
    };
    let (_, outer) = inner.iter().find(|(inner, _)| *inner == name)?;
    Some(format!("uta-eval {outer} {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_that_is_proposed_exists() {
        let main = Cli::command();
        for (_, meant) in OTHER_WORDS {
            let words: Vec<&str> = meant.split(' ').skip(1).collect();
            let first = words[0];
            let known = first.starts_with("--") || main.find_subcommand(first).is_some();
            assert!(known, "{meant}");
        }
    }

    #[test]
    fn an_inner_command_is_found_without_its_outer_one() {
        assert_eq!(meant_by("check").unwrap(), "uta-eval data check");
        assert_eq!(meant_by("chek").unwrap(), "uta-eval data check");
        assert_eq!(meant_by("clasify"), None);
    }
}
