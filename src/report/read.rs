//! Reading the JSON form back.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use serde::Deserialize;

use super::{Report, SCHEMA_VERSION};
use crate::metrics::Tally;
use crate::util::escape::Shown;
use crate::util::regular_file;
use crate::util::usage::UsageError;

/// Larger files are no results: three million pictures are within it.
const MOST_BYTES: u64 = 1 << 28;

/// What every version has.
#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

impl Report {
    /// Reads a result that `--json` wrote.
    ///
    /// # Errors
    /// When the file cannot be read, is no result, is of another version, or has a picture twice.
    pub fn read(path: &Path) -> Result<Self, UsageError> {
        let text = text(path).map_err(|e| {
            UsageError::new(
                format!("{} cannot be read: {e}", path.shown()),
                "give a file that --json wrote",
            )
        })?;
        let no_result = |e: serde_json::Error| {
            UsageError::new(
                format!("{} is no result of uta-eval: {e}", path.shown()),
                "give a file that --json wrote",
            )
        };
        let version: Version = serde_json::from_str(&text).map_err(no_result)?;
        if version.schema_version != SCHEMA_VERSION {
            return Err(UsageError::new(
                format!(
                    "{} has schema version {}, and this program reads version {SCHEMA_VERSION}",
                    path.shown(),
                    version.schema_version
                ),
                "make the result again with this version",
            ));
        }
        let report: Self = serde_json::from_str(&text).map_err(no_result)?;
        let mut names = HashSet::with_capacity(report.judgements.len());
        match report.judgements.iter().find(|j| !names.insert(&j.name)) {
            None => Ok(report),
            Some(twice) => Err(UsageError::new(
                format!("{} has {} twice", path.shown(), twice.name),
                "the file was changed, or two pictures have one name; evaluate them again",
            )),
        }
    }

    /// Refuses a result whose counts are not those of its pictures.
    ///
    /// # Errors
    /// When that is so.
    pub fn check_counts(&self, path: &Path) -> Result<(), UsageError> {
        let mut tally = Tally::default();
        for judgement in &self.judgements {
            tally.count(judgement.rank);
        }
        let told = [&self.statistics.top1, &self.statistics.top5];
        let counted = [tally.top1_accuracy(), tally.top5_accuracy()];
        for (name, (told, counted)) in ["top-1", "top-5"].iter().zip(told.iter().zip(&counted)) {
            if (told.correct, told.total) != (counted.correct, counted.total) {
                return Err(UsageError::new(
                    format!(
                        "{} contradicts itself: {name} is told as {}/{}, and its judgements make {}/{}",
                        path.shown(),
                        told.correct,
                        told.total,
                        counted.correct,
                        counted.total
                    ),
                    "the file was changed by hand; make the result again",
                ));
            }
        }
        Ok(())
    }
}

/// A file's text; memory does not grow with a file that is far too large, or has no end.
fn text(path: &Path) -> io::Result<String> {
    regular_file::read_text(path, MOST_BYTES)
}
