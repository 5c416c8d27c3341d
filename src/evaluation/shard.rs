//! The part of a data set that one of several processes evaluates.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::util::usage::UsageError;

/// Part `index` of `of`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// From 1 to `of`.
    #[schemars(range(min = 1))]
    pub index: usize,
    /// Number of parts.
    #[schemars(range(min = 1))]
    pub of: usize,
}

impl Shard {
    /// Reads `I/N`, or for `auto` the environment of a Slurm array or of torchrun's kind.
    ///
    /// # Errors
    /// When it is neither, or the environment does not say.
    pub fn from_flag(flag: &str) -> Result<Self, UsageError> {
        match flag {
            "auto" => Self::from_environment(|name| std::env::var(name).ok()),
            _ => Self::parse(flag),
        }
    }

    fn parse(text: &str) -> Result<Self, UsageError> {
        let parsed = text
            .split_once('/')
            .and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
        match parsed {
            Some((index, of)) if (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(UsageError::new(
                format!("--shard {text} is no part"),
                "give I/N with I from 1 to N: --shard 1/4 is the first of four",
            )),
        }
    }

    fn from_environment(variable: impl Fn(&str) -> Option<String>) -> Result<Self, UsageError> {
        let number = |name: &str| -> Result<Option<usize>, UsageError> {
            let Some(value) = variable(name) else {
                return Ok(None);
            };
            match value.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(UsageError::new(
                    format!("--shard auto: {name} is \"{value}\", not a number"),
                    EXPLICIT,
                )),
            }
        };
        let slurm = match (
            number("SLURM_ARRAY_TASK_ID")?,
            number("SLURM_ARRAY_TASK_COUNT")?,
        ) {
            (Some(id), Some(count)) => {
                let first = number("SLURM_ARRAY_TASK_MIN")?.unwrap_or(1);
                let step = number("SLURM_ARRAY_TASK_STEP")?.unwrap_or(1).max(1);
                let last = number("SLURM_ARRAY_TASK_MAX")?;
                let offset = id.checked_sub(first).filter(|offset| offset % step == 0);
                let index = offset.map(|offset| offset / step);
                let gapless = last.is_none_or(|last| {
                    last.checked_sub(first)
                        .is_some_and(|span| span / step + 1 == count)
                });
                match index.filter(|index| gapless && *index < count) {
                    Some(index) => Some(Self {
                        index: index + 1,
                        of: count,
                    }),
                    None => {
                        return Err(UsageError::new(
                            format!(
                                "--shard auto: task {id} of this Slurm array of {count} has no place in a row without gaps"
                            ),
                            EXPLICIT,
                        ));
                    }
                }
            }
            _ => None,
        };
        let ranks = match (number("RANK")?, number("WORLD_SIZE")?) {
            (Some(rank), Some(size)) if rank < size => Some(Self {
                index: rank + 1,
                of: size,
            }),
            (Some(rank), Some(size)) => {
                return Err(UsageError::new(
                    format!("--shard auto: RANK {rank} is not below WORLD_SIZE {size}"),
                    EXPLICIT,
                ));
            }
            _ => None,
        };
        match (slurm, ranks) {
            (Some(a), Some(b)) if a != b => Err(UsageError::new(
                format!("--shard auto: the Slurm array says {a}, RANK and WORLD_SIZE say {b}"),
                EXPLICIT,
            )),
            (Some(shard), _) | (None, Some(shard)) => Ok(shard),
            (None, None) => Err(UsageError::new(
                "--shard auto: neither SLURM_ARRAY_TASK_ID and SLURM_ARRAY_TASK_COUNT nor RANK and WORLD_SIZE are set",
                EXPLICIT,
            )),
        }
    }

    /// The positions of this part among `total`, in order. Sizes differ by at most one.
    pub fn range(&self, total: usize) -> Range<usize> {
        // total * of may not fit a usize on small machines.
        let cut = |i: usize| (total as u128 * i as u128 / self.of as u128) as usize;
        cut(self.index - 1)..cut(self.index)
    }
}

const EXPLICIT: &str = "say it explicitly, with --shard I/N";

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auto(variables: &[(&str, &str)]) -> Result<String, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| value.to_string())
        };
        match Shard::from_environment(variable) {
            Ok(shard) => Ok(shard.to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn parts_cover_everything_once_and_are_of_nearly_one_size() {
        for total in [0, 1, 5, 7, 220, 50_000] {
            for of in [1, 2, 3, 7, 300] {
                let mut next = 0;
                for index in 1..=of {
                    let range = Shard { index, of }.range(total);
                    assert_eq!(range.start, next);
                    assert!((total / of..=total / of + 1).contains(&range.len()));
                    next = range.end;
                }
                assert_eq!(next, total);
            }
        }
    }

    #[test]
    fn parts_count_from_one() {
        assert!(Shard::parse("1/1").is_ok() && Shard::parse("7/7").is_ok());
        for wrong in ["0/4", "5/4", "1", "1/0", "-1/4", "a/b", "1/4/5", ""] {
            assert!(Shard::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn slurm_arrays_count_from_their_first_task_by_their_step() {
        let slurm = |id: &'static str, min: &'static str, max: &'static str, step: &'static str| {
            auto(&[
                ("SLURM_ARRAY_TASK_ID", id),
                ("SLURM_ARRAY_TASK_COUNT", "4"),
                ("SLURM_ARRAY_TASK_MIN", min),
                ("SLURM_ARRAY_TASK_MAX", max),
                ("SLURM_ARRAY_TASK_STEP", step),
            ])
        };
        assert_eq!(slurm("0", "0", "3", "1").unwrap(), "1/4");
        assert_eq!(slurm("4", "1", "4", "1").unwrap(), "4/4");
        assert_eq!(slurm("14", "10", "16", "2").unwrap(), "3/4");
        // --array=1,3,4,9 has no step.
        assert!(slurm("3", "1", "9", "1").unwrap_err().contains("gaps"));
    }

    #[test]
    fn ranks_count_from_zero() {
        let ranks = |rank: &'static str| auto(&[("RANK", rank), ("WORLD_SIZE", "3")]);
        assert_eq!(ranks("0").unwrap(), "1/3");
        assert_eq!(ranks("2").unwrap(), "3/3");
        assert!(ranks("3").unwrap_err().contains("not below"));
        assert!(ranks("x").unwrap_err().contains("RANK is \"x\""));
        assert!(auto(&[]).unwrap_err().contains("neither"));
        assert!(auto(&[("RANK", "1")]).is_err());
    }

    #[test]
    fn environments_that_contradict_each_other_are_refused() {
        let slurm = [
            ("SLURM_ARRAY_TASK_ID", "1"),
            ("SLURM_ARRAY_TASK_COUNT", "4"),
        ];
        let both = |rank, size| [slurm[0], slurm[1], ("RANK", rank), ("WORLD_SIZE", size)];
        assert!(auto(&both("1", "2")).unwrap_err().contains("1/4"));
        assert_eq!(auto(&both("0", "4")).unwrap(), "1/4");
    }
}
