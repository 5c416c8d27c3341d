//! The order of a table's classes by the names that the Hugging Face hub keeps for them.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use crate::data::sets::{ClassFolders, Naming, Set};
use crate::text::{ClassNames, imagenet};

/// Of the names of classes that are known, one in so many may be known for another class: lists
/// of synonyms name some classes as others are called.
const STRAYS: usize = 50;

/// What the numbers of labels count.
pub enum Order {
    /// The classes in their order.
    Classes,
    /// These classes.
    These(Vec<usize>),
}

/// What a table's numbers count, by the names that the hub keeps for its classes.
///
/// WordNet ids or folders as names tell the order, and so do the built-in names. Names that are
/// known for other classes than those of their places are never taken for the classes' order.
///
/// # Errors
/// Why the order is in doubt.
pub fn order(names: &[String], classes: &ClassFolders) -> Result<Order, String> {
    let folders = match classes.naming() {
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
    let known = match classes.naming() {
        Naming::Wnids | Naming::OfSet(_) => KnownNames::imagenet(),
        Naming::Listed | Naming::Sorted | Naming::Nothing => KnownNames::of_folders(names, folders),
    };
    let meant: Vec<Vec<usize>> = names.iter().map(|name| known.classes(name)).collect();
    if let Some(order) = one_class_each(&meant) {
        return Ok(Order::These(order));
    }
    if names.len() != classes.len() {
        return Err(format!(
            "it says that it has {} classes, not {}",
            names.len(),
            classes.len()
        ));
    }
    check_places(names, &meant)?;
    Ok(Order::Classes)
}

/// What the numbers of labels count, by the names of the classes that lie beside the pictures: the
/// class of each number.
///
/// # Errors
/// Why the names are not those of the classes.
pub fn numbers(names: &[String], classes: &ClassFolders) -> Result<Vec<usize>, String> {
    let imagenet = matches!(classes.naming(), Naming::Wnids | Naming::OfSet(_))
        && classes.len() == imagenet::CLASSES;
    let own = classes.set_name().and_then(Set::by_name);
    let of_set = |set: Set| set.own_names().is_some_and(|own| own == names);
    if own.is_some_and(of_set) {
        let folders = classes.clone().counting_folders().counted();
        return Ok(folders.into_iter().flatten().flatten().collect());
    }
    // ObjectNet's own classes are none of ImageNet's.
    let named = Set::with_names(names).filter(|set| *set != Set::ObjectNet);
    let known = named.and_then(Set::classes);
    let order = match known.filter(|_| imagenet) {
        Some(known) => known,
        None => match order(names, classes)? {
            Order::These(these) => these,
            Order::Classes => (0..classes.len()).collect(),
        },
    };
    let Some(set) = own.filter(|set| set.classes().is_some()) else {
        return Ok(order);
    };
    let of_the_set = classes.classes();
    match order.iter().position(|class| !of_the_set.contains(class)) {
        Some(place) => Err(format!("{:?} is no class of {}", names[place], set.name())),
        None => Ok(order),
    }
}

/// The class of each name, if each stands for one class and no two for the same.
fn one_class_each(meant: &[Vec<usize>]) -> Option<Vec<usize>> {
    let one = |classes: &Vec<usize>| match *classes.as_slice() {
        [only] => Some(only),
        _ => None,
    };
    let order: Vec<usize> = meant.iter().map(one).collect::<Option<_>>()?;
    let distinct = order.iter().collect::<HashSet<_>>().len();
    (distinct == order.len()).then_some(order)
}

/// Refuses names that are known for other classes than those of their places.
fn check_places(names: &[String], meant: &[Vec<usize>]) -> Result<(), String> {
    let known = meant.iter().enumerate();
    let known = known.filter(|(_, classes)| !classes.is_empty());
    let is_stray = |(place, classes): &(usize, &Vec<usize>)| !classes.contains(place);
    let strays: Vec<(usize, &Vec<usize>)> = known.clone().filter(is_stray).collect();
    match strays.first() {
        Some((place, classes)) if strays.len() * STRAYS > known.count() => Err(format!(
            "its class names are in another order than the classes ({:?} is number {place}, but class {}), and not all of them are known; WordNet ids as names would tell",
            names[*place], classes[0]
        )),
        _ => Ok(()),
    }
}

/// Classes by their names, written in any way.
struct KnownNames(HashMap<String, Vec<usize>>);

impl KnownNames {
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
    fn of_folders(names: &[String], folders: &ClassFolders) -> Self {
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
