//! Strict comparison of a checkpoint's keys with those a model needs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::values::is_floating;
use super::{Checkpoint, dtype_name};
use crate::util::brief;
use crate::util::escape::Shown;

/// A tensor that a checkpoint must have, or may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorSpec {
    pub name: String,
    pub shape: Vec<usize>,
    pub required: bool,
}

/// Everything about a checkpoint's keys that does not fit a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mismatch {
    /// Required keys that the checkpoint lacks, with the expected shape.
    pub missing: Vec<(String, Vec<usize>)>,
    /// Keys that the model does not have, with their shape.
    pub unexpected: Vec<(String, Vec<usize>)>,
    /// Keys of another shape: expected, found.
    pub misshaped: Vec<(String, Vec<usize>, Vec<usize>)>,
    /// Keys that hold no floating-point numbers, with their dtype.
    pub not_floating: Vec<(String, String)>,
    /// Keys that hold something else than a tensor.
    pub without_tensor: Vec<String>,
    /// How many keys fit.
    pub fitting: usize,
}

impl Mismatch {
    /// Whether everything fits.
    pub fn is_empty(&self) -> bool {
        self.missing.is_empty()
            && self.unexpected.is_empty()
            && self.misshaped.is_empty()
            && self.not_floating.is_empty()
            && self.without_tensor.is_empty()
    }

    /// The prefix, with its dot, under which the unexpected keys have all the missing ones.
    pub fn extra_prefix(&self) -> Option<&str> {
        let (first, _) = self.missing.first()?;
        let unexpected: BTreeSet<&str> = self.unexpected.iter().map(|(key, _)| &**key).collect();
        let mut prefixes = unexpected
            .iter()
            .filter_map(|key| key.strip_suffix(first.as_str()))
            .filter(|prefix| prefix.ends_with('.'));
        prefixes.find(|prefix| {
            let mut keys = self.missing.iter().map(|(key, _)| format!("{prefix}{key}"));
            keys.all(|key| unexpected.contains(key.as_str()))
        })
    }

    /// Whether not a single key fits.
    pub fn is_total(&self) -> bool {
        self.fitting == 0
    }

    /// What to say in an error: the number of keys of each kind where more are wrong than fit, since the
    /// checkpoint is another model's then; otherwise the keys, as far as they are few.
    pub fn brief(&self) -> String {
        let counts = [
            (self.missing.len(), "missing"),
            (self.unexpected.len(), "unexpected"),
            (self.misshaped.len(), "mis-shaped"),
            (self.not_floating.len(), "not floating point"),
            (self.without_tensor.len(), "no tensor"),
        ];
        if counts.iter().map(|(count, _)| count).sum::<usize>() <= self.fitting {
            return self.text(MOST_LINES);
        }
        let wrong = counts.iter().filter(|(count, _)| *count > 0);
        let wrong: Vec<String> = wrong
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        format!("  of its keys {} fit; {}", self.fitting, wrong.join(", "))
    }
}

/// Most lines of keys of a kind in an error.
const MOST_LINES: usize = 10;

/// Compares a checkpoint with the tensors that a model has.
///
/// # Errors
/// All differences at once.
pub fn verify(checkpoint: &Checkpoint, specs: &[TensorSpec]) -> Result<(), Box<Mismatch>> {
    verify_except(checkpoint, specs, |_| false)
}

/// As [`verify`], but takes other keys that `ignored` says, whatever they hold.
///
/// # Errors
/// All differences at once.
pub fn verify_except(
    checkpoint: &Checkpoint,
    specs: &[TensorSpec],
    ignored: impl Fn(&str) -> bool,
) -> Result<(), Box<Mismatch>> {
    let mut mismatch = Mismatch::default();
    let mut expected: BTreeMap<&str, &TensorSpec> = specs
        .iter()
        .map(|spec| (spec.name.as_str(), spec))
        .collect();
    for entry in checkpoint.entries() {
        let name = entry.name.to_string();
        match expected.remove(entry.name) {
            None if ignored(entry.name) => {}
            None => mismatch.unexpected.push((name, entry.shape.into())),
            Some(spec) if !same_shape(&spec.shape, entry.shape) => {
                mismatch
                    .misshaped
                    .push((name, spec.shape.clone(), entry.shape.into()));
            }
            Some(_) if !is_floating(entry.dtype) => {
                mismatch.not_floating.push((name, dtype_name(entry.dtype)));
            }
            Some(_) => mismatch.fitting += 1,
        }
    }
    for name in checkpoint.without_tensor() {
        if expected.remove(name.as_str()).is_some() || !ignored(name) {
            mismatch.without_tensor.push(name.clone());
        }
    }
    let missing = expected.into_values().filter(|spec| spec.required);
    mismatch.missing = missing
        .map(|spec| (spec.name.clone(), spec.shape.clone()))
        .collect();
    if mismatch.is_empty() {
        Ok(())
    } else {
        Err(mismatch.into())
    }
}

/// A single value may be stored with one axis: writers without scalars do so, and PyTorch's
/// `load_state_dict` takes it as well.
fn same_shape(expected: &[usize], found: &[usize]) -> bool {
    expected == found || (expected.is_empty() && found == [1])
}

/// All keys.
impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text(usize::MAX))
    }
}

impl Mismatch {
    /// The keys by kind, in so many lines of each at most.
    fn text(&self, most: usize) -> String {
        let shaped = |keys: &[(String, Vec<usize>)], verb: &str| -> Vec<(String, String)> {
            keys.iter()
                .map(|(key, shape)| (key.clone(), format!("{verb} {shape:?}")))
                .collect()
        };
        let misshaped: Vec<_> = self
            .misshaped
            .iter()
            .map(|(key, expected, found)| {
                (
                    key.clone(),
                    format!("expected {expected:?}, found {found:?}"),
                )
            })
            .collect();
        let not_floating: Vec<_> = self
            .not_floating
            .iter()
            .map(|(key, dtype)| {
                (
                    key.clone(),
                    format!("expected f32, f16 or bf16, found {dtype}"),
                )
            })
            .collect();
        let without_tensor: Vec<_> = self
            .without_tensor
            .iter()
            .map(|key| (key.clone(), "found something else".to_string()))
            .collect();
        let mut sections = Vec::new();
        for (title, keys) in [
            ("missing", shaped(&self.missing, "expected")),
            ("unexpected", shaped(&self.unexpected, "found")),
            ("mis-shaped", misshaped),
            ("not floating point", not_floating),
            ("not a tensor", without_tensor),
        ] {
            if !keys.is_empty() {
                let lines = abridge(&keys);
                let more = lines.len().saturating_sub(most);
                let mut lines: Vec<String> = lines
                    .into_iter()
                    .take(most)
                    .map(|line| format!("    {}", line.shown()))
                    .collect();
                if more > 0 {
                    lines.push(format!("    and {more} lines more"));
                }
                sections.push(format!("  {} {title}:\n{}", keys.len(), lines.join("\n")));
            }
        }
        sections.join("\n")
    }
}

/// Keys with the same remark that differ only in a block's number.
struct Group<'a> {
    /// The key up to the number, and from behind it.
    around: (&'a str, &'a str),
    remark: &'a str,
    members: Vec<(usize, &'a str)>,
}

/// One line per key, except that keys which differ only in a block's number share one.
///
/// `blocks.0.norm.bias` … `blocks.11.norm.bias` with the same remark become
/// `blocks.{0..11}.norm.bias (12 keys)`; no key goes unmentioned.
pub(super) fn abridge(keys: &[(String, String)]) -> Vec<String> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places = BTreeMap::new();
    for (key, remark) in keys {
        let (around, number) = match block_number(key) {
            Some((start, end, number)) => ((&key[..start], &key[end..]), Some(number)),
            None => ((key.as_str(), ""), None),
        };
        let place = places
            .entry((around, number.is_some(), remark))
            .or_insert(groups.len());
        if *place == groups.len() {
            groups.push(Group {
                around,
                remark,
                members: Vec::new(),
            });
        }
        groups[*place].members.push((number.unwrap_or(0), key));
    }
    groups.into_iter().map(Group::line).collect()
}

impl Group<'_> {
    fn line(mut self) -> String {
        let remark = self.remark;
        if let [(_, key)] = self.members.as_slice() {
            return format!("{key}: {remark}");
        }
        self.members.sort_unstable();
        let numbers: Vec<usize> = self.members.iter().map(|(number, _)| *number).collect();
        let (before, behind) = self.around;
        let (numbers, count) = (ranges(&numbers), self.members.len());
        format!("{before}{{{numbers}}}{behind} ({count} keys): {remark}")
    }
}

/// First path component that is a number, written without leading zeros: its bounds and value.
fn block_number(key: &str) -> Option<(usize, usize, usize)> {
    let mut start = 0;
    for part in key.split('.') {
        let end = start + part.len();
        if let Ok(number) = part.parse::<usize>()
            && number.to_string() == part
        {
            return Some((start, end, number));
        }
        start = end + 1;
    }
    None
}

/// `[0, 1, 2, 5]` as `0..2,5`.
fn ranges(sorted: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for number in sorted {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let runs = runs.into_iter().map(|(first, last)| match last - first {
        0 => first.to_string(),
        _ => format!("{first}..{last}"),
    });
    brief::list_by(&runs.collect::<Vec<_>>(), ",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_differ_in_the_block_number_share_a_line_and_none_is_lost() {
        let keys: Vec<_> = [0, 1, 2, 10, 11, 5]
            .iter()
            .map(|i| {
                (
                    format!("visual.blocks.{i}.norm1.bias"),
                    "expected [4]".to_string(),
                )
            })
            .chain([
                (
                    "visual.blocks.07.norm1.bias".to_string(),
                    "expected [4]".to_string(),
                ),
                (
                    format!("visual.blocks.{}.norm1.bias", usize::MAX),
                    "expected [5]".to_string(),
                ),
            ])
            .chain([("logit_scale".to_string(), "expected []".to_string())])
            .collect();
        assert_eq!(
            abridge(&keys),
            [
                "visual.blocks.{0..2,5,10..11}.norm1.bias (6 keys): expected [4]",
                "visual.blocks.07.norm1.bias: expected [4]",
                "visual.blocks.18446744073709551615.norm1.bias: expected [5]",
                "logit_scale: expected []"
            ]
        );
    }
}
