//! The pictures of a Parquet file with their classes: what the labels' numbers count.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use super::class_folders::{ClassFolders, Naming};
use super::sample::{Row, Sample, Storage};
use super::table::{Label, Table};
use crate::text::ClassNames;

/// What pictures without names are called, before their row's number.
pub(super) const UNNAMED: &str = "row ";

/// Of the names of classes that are known, one in so many may be known for another class: lists
/// of synonyms name some classes as others are called.
const STRAYS: usize = 50;

/// The pictures of a Parquet file.
pub(super) fn samples(path: &Path, classes: &ClassFolders) -> Result<Vec<Sample>, String> {
    let table = Table::open(path)?;
    let paths = table.paths()?;
    let names = names(paths.as_deref(), table.rows());
    let wnids = table.wnids()?;
    let order = match table.class_names() {
        None => Order::Classes,
        Some(names) => order(&names, classes)?,
    };
    let labels = table.labels()?;
    let mut samples = Vec::with_capacity(labels.len());
    for (row, (label, name)) in labels.into_iter().zip(names).enumerate() {
        let class = class(row, label, &order, classes)?;
        let folder = paths
            .as_ref()
            .and_then(|paths| folder_of(paths[row].as_deref()?));
        let claims = [
            folder.and_then(|folder| Some(("its path", classes.claimed_by(folder)?))),
            wnids.as_ref().and_then(|wnids| match &wnids[row] {
                Label::Name(wnid) => Some(("its WordNet id", classes.class_of(wnid)?)),
                _ => None,
            }),
        ];
        if let Some((by, other)) = claims.into_iter().flatten().find(|(_, c)| *c != class) {
            return Err(format!(
                "its row {row} is of class {class} by its label, but of class {other} by {by}; are the labels numbers of another order?"
            ));
        }
        samples.push(Sample {
            path: path.join(name),
            label: class,
            right: None,
            storage: Storage::Row(Row {
                table: Arc::clone(table.path()),
                row: row as u64,
            }),
        });
    }
    Ok(samples)
}

/// What the numbers of labels count.
enum Order {
    /// The classes in their order.
    Classes,
    /// These.
    These(Vec<usize>),
}

fn class(row: usize, label: Label, order: &Order, classes: &ClassFolders) -> Result<usize, String> {
    let without = |what: &str| {
        Err(format!(
            "its row {row} has no label ({what}); this is a split without labels, such as the test split"
        ))
    };
    match label {
        Label::Absent => without("null"),
        Label::Index(-1) => without("-1"),
        Label::Name(name) => classes
            .class_of(&name)
            .ok_or_else(|| format!("the label {name:?} of its row {row} is no class")),
        Label::Index(index) => usize::try_from(index)
            .ok()
            .and_then(|index| match order {
                Order::These(order) => order.get(index).copied(),
                Order::Classes => classes.of_index(index),
            })
            .ok_or_else(|| {
                format!(
                    "the label {index} of its row {row} is {}",
                    classes.no_index()
                )
            }),
    }
}

/// The order of the classes by the names that the hub keeps: WordNet ids or folders tell it, and
/// so do names that are the built-in ones. Names that are known for other classes than those of
/// their places are never taken for the classes' order.
fn order(names: &[String], classes: &ClassFolders) -> Result<Order, String> {
    let folders = match classes.naming {
        Naming::Sorted => {
            let mut sorted = names.to_vec();
            sorted.sort_unstable();
            let settled = classes.settled(Path::new("the label's class names"), &sorted);
            &settled.map_err(|e| e.to_string())?
        }
        _ => classes,
    };
    let of_folders: Option<Vec<usize>> = names.iter().map(|name| folders.class_of(name)).collect();
    if let Some(order) = of_folders {
        return Ok(Order::These(order));
    }
    let known = match classes.naming {
        Naming::Wnids | Naming::Set(_) => Known::imagenet(),
        _ => Known::folders(names, folders),
    };
    let meant: Vec<Vec<usize>> = names.iter().map(|name| known.classes(name)).collect();
    // Each name stands for one class and no other does: then the names tell, in any order.
    let single: Option<Vec<usize>> = meant
        .iter()
        .map(|classes| match classes.as_slice() {
            [only] => Some(*only),
            _ => None,
        })
        .collect();
    let distinct = |order: &Vec<usize>| order.iter().collect::<HashSet<_>>().len() == order.len();
    if let Some(order) = single.filter(distinct) {
        return Ok(Order::These(order));
    }
    if names.len() != classes.len() {
        return Err(format!(
            "it says that it has {} classes, not {}",
            names.len(),
            classes.len()
        ));
    }
    let places = || {
        meant
            .iter()
            .enumerate()
            .filter(|(_, classes)| !classes.is_empty())
    };
    let strays: Vec<usize> = places()
        .filter(|(place, classes)| !classes.contains(place))
        .map(|(place, _)| place)
        .collect();
    match strays.first() {
        Some(place) if strays.len() * STRAYS > places().count() => Err(format!(
            "its class names are in another order than the classes ({:?} is number {place}, but class {}), and not all of them are known; WordNet ids as names would tell",
            names[*place], meant[*place][0]
        )),
        _ => Ok(Order::Classes),
    }
}

/// Classes by their names, written in any way.
struct Known(HashMap<String, Vec<usize>>);

impl Known {
    /// The built-in names, of which two are those of two classes.
    fn imagenet() -> Self {
        let names = ClassNames::imagenet();
        let mut known = Self(HashMap::new());
        for class in 0..names.len() {
            known.add(names.name(class).unwrap_or_default(), class);
            known.add(&class.to_string(), class);
        }
        known
    }

    /// Folders, as far as these names are some.
    fn folders(names: &[String], folders: &ClassFolders) -> Self {
        let mut known = Self(HashMap::new());
        for name in names {
            if let Some(class) = folders.class_of(name) {
                known.add(name, class);
            }
        }
        known
    }

    fn add(&mut self, name: &str, class: usize) {
        let classes = self.0.entry(plain(name)).or_default();
        if !classes.contains(&class) {
            classes.push(class);
        }
    }

    /// The classes of any of a name's synonyms, which have commas between.
    fn classes(&self, name: &str) -> Vec<usize> {
        let synonyms = name.split(',').chain([name]).map(plain);
        let classes = synonyms.filter_map(|name| self.0.get(&name)).flatten();
        let mut classes: Vec<usize> = classes.copied().collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }
}

fn plain(name: &str) -> String {
    name.trim()
        .to_lowercase()
        .replace(['_', '-'], " ")
        .replace('\'', "")
}

/// The rows' names: their files' if all have different ones.
fn names(paths: Option<&[Option<String>]>, rows: usize) -> Vec<String> {
    let bare = |path: &Option<String>| {
        let name: String = path
            .as_ref()?
            .rsplit(['/', '\\'])
            .next()?
            .chars()
            .take(255)
            .collect();
        (!name.is_empty()).then_some(name)
    };
    let bare: Option<Vec<String>> = paths.and_then(|paths| paths.iter().map(bare).collect());
    let different = |names: &Vec<String>| names.iter().collect::<HashSet<_>>().len() == rows;
    match bare.filter(different) {
        Some(names) => names,
        None => (0..rows).map(|row| format!("{UNNAMED}{row}")).collect(),
    }
}

/// The folder that a path ends in.
fn folder_of(path: &str) -> Option<&str> {
    path.rsplit(['/', '\\']).nth(1)
}
