//! Finds the state dict in what `torch.save` has pickled, and lists its tensors.
//!
//! Whatever else is pickled (an optimizer's state, counters, arguments, any objects) is inert data
//! and not looked at. A TorchScript program is a tree of modules, whose tensors are named by the way to
//! them, as in its state dict.

use std::collections::HashSet;
use std::path::Path;

use super::CheckpointError;
use super::contents::Contents;
use super::error::{is_sound_key, printable};
use super::names::{WRAPPERS, wrapped};
use super::pickle::Pickle;
use super::pickle_value::Id;
use super::rebuild::{Fault, Rebuilder};

/// Wrappers inside wrappers that are looked into; a pickle may be cyclic.
const NESTING: usize = 3;
/// Modules within modules that are looked into, and attributes of all of them together.
const MODULE_DEPTH: usize = 32;
const MODULE_VALUES: usize = 200_000;
/// What keys of an optimizer's state begin with: its tensors may have the weights' names, too.
const OPTIMIZER: &str = "optim";
/// Tensors can share storages, and strides of zero let a few bytes stand for a huge tensor. All
/// together may claim this many times the size of the file …
const CLAIM_FACTOR: usize = 8;
/// … and this many bytes, so that a tiny file can do what a large one can.
const CLAIM_FLOOR: usize = 64 << 20;

type Items = [(Id, Id)];

pub(super) struct Finder<'a> {
    pub(super) path: &'a Path,
    /// In bytes.
    pub(super) file_size: usize,
    pub(super) rebuilder: &'a Rebuilder<'a>,
}

impl<'a> Finder<'a> {
    /// The tensors of the state dict: of that under the key `weights` if there is one, and otherwise of
    /// that under a wrapper's key, or of the outermost.
    ///
    /// # Errors
    /// When there is no state dict, or more than one, or one of its tensors is faulty.
    pub(super) fn find(&self, weights: Option<&str>) -> Result<Contents, CheckpointError> {
        let pickle = self.rebuilder.pickle;
        if pickle.module(pickle.root()).is_some() {
            return self.list(self.of_module(pickle.root())?, None);
        }
        let Some(root) = pickle.items(pickle.root()) else {
            return Err(self.no_state_dict(self.describe(pickle.root())));
        };
        let entered = weights.and_then(|key| Some((key, self.at(root, key, NESTING)?)));
        let (key, start) = entered.unwrap_or(("", root));
        let all = self.all(root);
        let contents = match self.below(key, start) {
            // It may be the beginning of names.
            Err(CheckpointError::Ambiguous { .. } | CheckpointError::NoStateDict { .. })
                if weights.is_some() && entered.is_none() =>
            {
                return Err(CheckpointError::NoSuchWeights {
                    path: self.path.into(),
                    key: printable(weights.unwrap_or_default()),
                    known: all.into_iter().map(|(key, _)| key).collect(),
                });
            }
            contents => contents?,
        };
        let taken = contents.nested_under.as_deref().unwrap_or_default();
        let others = all
            .iter()
            .filter(|(key, items)| key != taken && self.rivals(&contents, items));
        Ok(Contents {
            others: others.map(|(key, _)| key.clone()).collect(),
            known: all.iter().map(|(key, _)| key.clone()).collect(),
            entered: entered.is_some(),
            ..contents
        })
    }

    /// The state dict that a dict is or has under wrappers' keys; `key` leads to the dict.
    fn below(&self, key: &str, start: &'a Items) -> Result<Contents, CheckpointError> {
        let mut found = Vec::new();
        self.search(start, key, NESTING, &mut found);
        let Some(((keys, items), others)) = found.split_first() else {
            if self.has_tensors(start) {
                let under = (!key.is_empty()).then(|| key.to_string());
                return self.list(self.named(start)?, under);
            }
            let empty = |items: &Items| items.is_empty();
            let wrapper = WRAPPERS
                .iter()
                .find_map(|wrapper| self.inner(start, wrapper));
            return Err(if empty(start) || wrapper.is_some_and(empty) {
                CheckpointError::NoTensors {
                    path: self.path.into(),
                }
            } else {
                let mut error = self.no_state_dict(self.describe_keys(start));
                if let CheckpointError::NoStateDict { known, .. } = &mut error {
                    let all = self.all(start).into_iter();
                    known.extend(all.map(|(key, _)| key));
                }
                error
            });
        };
        let contents = self.list(self.named(items)?, Some(keys.clone()))?;
        for (_, other) in others {
            // The same tensors under two keys, as dicts that were copied, are one state dict.
            let same = std::ptr::eq(*items, *other)
                || self.list(self.named(other)?, None)?.tensors == contents.tensors;
            if !same {
                return Err(CheckpointError::Ambiguous {
                    path: self.path.into(),
                    keys: found.iter().map(|(keys, _)| keys.clone()).collect(),
                });
            }
        }
        Ok(contents)
    }

    /// The dict to which a key leads, or several that are joined by dots.
    fn at(&self, items: &Items, key: &str, depth: usize) -> Option<&'a Items> {
        if let Some(found) = self.inner(items, key) {
            return Some(found);
        }
        if depth == 0 {
            return None;
        }
        let mut dots = key.match_indices('.').map(|(at, _)| at);
        dots.find_map(|at| {
            let inner = self.inner(items, &key[..at])?;
            self.at(inner, &key[at + 1..], depth - 1)
        })
    }

    /// All dicts with tensors below a dict, by the keys that lead to them; those with most first.
    fn all(&self, root: &'a Items) -> Vec<(String, &'a Items)> {
        let pickle: &'a Pickle = self.rebuilder.pickle;
        let mut found = Vec::new();
        let mut open = vec![(String::new(), root, 0)];
        let mut looked_at = 0;
        while let Some((at, items, depth)) = open.pop() {
            if !at.is_empty() && self.has_tensors(items) {
                found.push((at.clone(), items));
            }
            for (key, value) in items {
                looked_at += 1;
                if depth > NESTING || looked_at > MODULE_VALUES {
                    break;
                }
                if let (Some(key), Some(inner)) = (pickle.text(*key), pickle.items(*value))
                    && is_sound_key(key)
                    && !key.starts_with(OPTIMIZER)
                {
                    let keys = match at.as_str() {
                        "" => key.to_string(),
                        _ => format!("{at}.{key}"),
                    };
                    open.push((keys, inner, depth + 1));
                }
            }
        }
        found.sort_by(|(a, x), (b, y)| y.len().cmp(&x.len()).then_with(|| a.cmp(b)));
        found
    }

    /// Whether a dict has other tensors under the names of those that were taken, as a moving average
    /// beside the weights has.
    fn rivals(&self, taken: &Contents, items: &Items) -> bool {
        let texts = items
            .iter()
            .filter(|(_, value)| self.rebuilder.is_tensor(*value))
            .filter_map(|(key, _)| self.rebuilder.pickle.text(*key));
        let theirs: Vec<&str> = texts.collect();
        let ours: Vec<&str> = taken
            .tensors
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        let stripped = wrapped(theirs.iter().copied());
        let theirs: HashSet<String> = theirs.iter().map(|name| stripped.without(name)).collect();
        let stripped = wrapped(ours.iter().copied());
        let common = ours
            .iter()
            .filter(|name| theirs.contains(&stripped.without(name)))
            .count();
        if 2 * common < ours.len() {
            return false;
        }
        let listed = self.named(items).and_then(|named| self.list(named, None));
        listed.map_or(true, |listed| listed.tensors != taken.tensors)
    }

    /// Collects the innermost dicts with tensors under the wrappers' keys. They go before tensors
    /// beside them, which are single results such as a best accuracy.
    fn search(
        &self,
        items: &'a Items,
        at: &str,
        depth: usize,
        found: &mut Vec<(String, &'a Items)>,
    ) {
        if depth == 0 {
            return;
        }
        for wrapper in WRAPPERS {
            let Some(inner) = self.inner(items, wrapper) else {
                continue;
            };
            let keys = match at {
                "" => wrapper.to_string(),
                _ => format!("{at}.{wrapper}"),
            };
            let before = found.len();
            self.search(inner, &keys, depth - 1, found);
            if found.len() == before && self.has_tensors(inner) {
                found.push((keys, inner));
            }
        }
    }

    /// The dict under a key; as in Python, the last of equal keys counts.
    fn inner(&self, items: &Items, wrapper: &str) -> Option<&'a Items> {
        let pickle: &'a Pickle = self.rebuilder.pickle;
        let mut matching = items
            .iter()
            .rev()
            .filter(|(key, _)| pickle.text(*key) == Some(wrapper));
        pickle.items(matching.next()?.1)
    }

    fn has_tensors(&self, items: &Items) -> bool {
        items.iter().any(|(key, value)| {
            self.rebuilder.pickle.text(*key).is_some() && self.rebuilder.is_tensor(*value)
        })
    }

    /// The values of a dict by their names.
    fn named(&self, items: &Items) -> Result<Vec<(String, Id)>, CheckpointError> {
        let name = |(key, value): &(Id, Id)| match self.rebuilder.pickle.text(*key) {
            Some(name) => Ok((name.to_string(), *value)),
            None => Err(CheckpointError::Corrupt {
                path: self.path.into(),
                detail: "a key of its state dict is no text".into(),
            }),
        };
        items.iter().map(name).collect()
    }

    /// The tensors of a TorchScript module and of those within it.
    fn of_module(&self, root: Id) -> Result<Vec<(String, Id)>, CheckpointError> {
        let pickle = self.rebuilder.pickle;
        let corrupt = |detail: &str| CheckpointError::Corrupt {
            path: self.path.into(),
            detail: detail.into(),
        };
        let mut tensors = Vec::new();
        let mut open = vec![(String::new(), root, 0)];
        let mut looked_at = 0;
        while let Some((prefix, module, depth)) = open.pop() {
            for (key, value) in pickle.module(module).unwrap_or_default() {
                looked_at += 1;
                if looked_at > MODULE_VALUES || depth > MODULE_DEPTH {
                    return Err(corrupt(
                        "its modules contain each other, or too many others",
                    ));
                }
                let key = pickle
                    .text(*key)
                    .ok_or_else(|| corrupt("an attribute's name is no text"))?;
                if self.rebuilder.is_tensor(*value) {
                    tensors.push((format!("{prefix}{key}"), *value));
                } else if pickle.module(*value).is_some() {
                    open.push((format!("{prefix}{key}."), *value, depth + 1));
                }
            }
        }
        Ok(tensors)
    }

    fn list(
        &self,
        items: Vec<(String, Id)>,
        nested_under: Option<String>,
    ) -> Result<Contents, CheckpointError> {
        let path = || self.path.to_path_buf();
        let mut tensors = Vec::new();
        let mut without_tensor = Vec::new();
        let limit = (self.file_size.saturating_mul(CLAIM_FACTOR)).saturating_add(CLAIM_FLOOR);
        let mut claimed = 0usize;
        for (name, value) in items {
            if !self.rebuilder.is_tensor(value) {
                without_tensor.push(name);
                continue;
            }
            let corrupt = |reason: String| CheckpointError::Corrupt {
                path: path(),
                detail: format!("tensor {}: {reason}", printable(&name)),
            };
            let stored = self.rebuilder.tensor(value).map_err(|fault| match fault {
                Fault::Corrupt(reason) => corrupt(reason),
                Fault::Unsupported(kind) => CheckpointError::UnsupportedTensor {
                    path: path(),
                    tensor: printable(&name),
                    kind,
                },
            })?;
            claimed = claimed.saturating_add(stored.elements() * (stored.dtype.bitsize() / 8));
            if claimed > limit {
                return Err(corrupt(format!(
                    "its shape {:?} claims far more bytes than the file has",
                    stored.shape
                )));
            }
            tensors.push((name, stored));
        }
        Ok(Contents {
            tensors,
            nested_under,
            without_tensor,
            ..Contents::default()
        })
    }

    fn no_state_dict(&self, found: String) -> CheckpointError {
        CheckpointError::NoStateDict {
            path: self.path.into(),
            found,
            known: Vec::new(),
        }
    }

    fn describe_keys(&self, items: &Items) -> String {
        const SHOWN: usize = 12;
        let texts = items
            .iter()
            .filter_map(|(key, _)| self.rebuilder.pickle.text(*key));
        let mut keys: Vec<String> = texts.take(SHOWN).map(printable).collect();
        if items.len() > keys.len() {
            keys.push(format!("… ({} in all)", items.len()));
        }
        format!(
            "no tensors lie at the top level or under {}; its keys are {}",
            WRAPPERS.join(", "),
            keys.join(", ")
        )
    }

    fn describe(&self, id: Id) -> String {
        let pickle = self.rebuilder.pickle;
        if self.rebuilder.is_tensor(id) {
            return "it is a single tensor".into();
        }
        match pickle.call(id) {
            Some((function, args)) => {
                // An object rebuilt by a helper of the language: its class comes first.
                let helper = function.starts_with("copyreg.") || function.starts_with("copy_reg.");
                let class = args.first().and_then(|id| pickle.global(*id));
                let class = class.filter(|_| helper).unwrap_or(function);
                format!("it is a pickled object of {}", printable(class))
            }
            None => "it is a list, a number or another plain value".into(),
        }
    }
}
