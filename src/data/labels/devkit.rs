//! The ILSVRC2012 devkit's own numbering of the classes.
//!
//! The devkit's label file has one id a line, line n for the validation set's picture n. The ids
//! run from 1, in an order that is not that of the classes. The devkit's `meta.mat` explains it.
//! The order is a fact that never changes, so that it is compiled in.

use std::path::Path;
use std::sync::LazyLock;

use super::error::LabelError;
use super::lines::read_text;
use super::real;
use crate::text::imagenet;

/// What the devkit's label file is called.
pub const GROUND_TRUTH: &str = "ILSVRC2012_validation_ground_truth.txt";

/// Line n is the WordNet id that the devkit's id n stands for; `assets/sets/README.md` says where
/// the list comes from.
const WNIDS: &str = include_str!("../../../assets/sets/devkit_wnids.txt");

/// Lists of synsets in the order of the ids, which later devkits and others have beside the label
/// file.
const SYNSET_LISTS: [&str; 3] = ["map_clsloc.txt", "synsets.txt", "synset_words.txt"];

/// The WordNet ids in the order of the devkit's ids, the first for id 1.
pub fn wnids() -> &'static [&'static str] {
    static ALL: LazyLock<Vec<&'static str>> = LazyLock::new(|| WNIDS.lines().collect());
    &ALL
}

/// The WordNet id that a devkit id stands for.
pub fn wnid(id: &str) -> Option<&'static str> {
    let id: usize = id.parse().ok()?;
    wnids().get(id.checked_sub(1)?).copied()
}

/// Whether a file is the devkit's label file by its name.
pub fn is_ground_truth(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| name.to_ascii_lowercase().contains("ground_truth"))
}

/// Refuses a label file whose ids are of another order: by the lists of synsets that lie beside
/// it, and, if it is whole, by the ReaL labels of the same pictures. `wnids` has one for each line.
///
/// # Errors
/// When a list or the ReaL labels contradict the order.
pub fn check(ground_truth: &Path, wnids: &[&str]) -> Result<(), LabelError> {
    let folder = ground_truth.parent().unwrap_or(Path::new(""));
    for list in SYNSET_LISTS.map(|name| folder.join(name)) {
        if list.is_file() {
            check_list(&list).map_err(|e| LabelError {
                reason: format!("{}; keep it elsewhere if it is of other labels", e.reason),
                ..e
            })?;
        }
    }
    check_against_real(wnids).map_err(|reason| LabelError::file(ground_truth, reason))
}

/// Refuses a list of synsets in another order than that of the devkit's ids.
fn check_list(path: &Path) -> Result<(), LabelError> {
    let text = read_text(path)?;
    let lines: Vec<&str> = text.trim_end().lines().collect();
    if lines.is_sorted() && lines.len() == imagenet::CLASSES {
        return Err(LabelError::file(
            path,
            "its WordNet ids are sorted, which is the order of the classes, not of devkit ids",
        ));
    }
    for (index, (line, expected)) in lines.iter().zip(wnids()).enumerate() {
        let id = index + 1;
        let fail = |reason: String| Err(LabelError::line(path, id, reason));
        let mut fields = line.split_whitespace();
        let Some(wnid) = fields.next() else {
            return fail("it is empty, so that the id of every line below it is in doubt".into());
        };
        // `n02119789 1 kit_fox` says the id itself.
        let number = fields.next().and_then(|field| field.parse::<usize>().ok());
        if let Some(other) = number.filter(|number| *number != id) {
            return fail(format!("the id is {other}, but {id} is next"));
        }
        if wnid != *expected {
            return fail(format!(
                "it has {wnid:?}, but the devkit's id {id} stands for {expected}"
            ));
        }
    }
    if lines.len() != imagenet::CLASSES {
        return Err(LabelError::file(
            path,
            format!(
                "it lists {} synsets; the devkit has {}",
                lines.len(),
                imagenet::CLASSES
            ),
        ));
    }
    Ok(())
}

/// Refuses labels of the whole validation set that most of its ReaL labels contradict. They agree
/// with nine of ten labels in the right order, and with one of a thousand in another.
fn check_against_real(wnids: &[&str]) -> Result<(), String> {
    if wnids.len() != real::labels().len() {
        return Ok(()); // labels of other pictures, or of some
    }
    let labelled = wnids.iter().zip(real::labels());
    let labelled = labelled.filter(|(_, right)| !right.is_empty());
    let (mut agree, mut all) = (0, 0);
    for (wnid, right) in labelled {
        let class = imagenet::class_of_wnid(wnid);
        agree += usize::from(class.is_some_and(|class| right.contains(&class)));
        all += 1;
    }
    if agree * 2 < all {
        return Err(format!(
            "its ids give {agree} of {all} pictures a class that their ReaL labels have; are these ids of another order, or of other pictures?"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devkits_ids_stand_for_the_thousand_classes_in_another_order() {
        let mut sorted = wnids().to_vec();
        assert!(!sorted.is_sorted());
        sorted.sort_unstable();
        assert_eq!(sorted, imagenet::wnids());
    }

    #[test]
    fn the_first_pictures_labels_are_the_published_ones_and_fit_their_real_labels() {
        // The first lines of the devkit's label file, and of those with the classes' order.
        let ids = [490, 361, 171, 822, 297, 482, 13, 704, 599, 164];
        let classes = [65, 970, 230, 809, 516, 57, 334, 415, 674, 332];
        // Picture 1 has no ReaL label, and picture 8 another one.
        let fitting = [1, 2, 3, 4, 5, 6, 8, 9];
        for (index, (id, class)) in ids.iter().zip(classes).enumerate() {
            let wnid = wnid(&id.to_string()).unwrap();
            assert_eq!(imagenet::class_of_wnid(wnid), Some(class), "id {id}");
            let fits = real::labels()[index].contains(&class);
            assert_eq!(fits, fitting.contains(&index), "picture {}", index + 1);
        }
        for (id, known) in [
            (1, "n02119789"),
            (2, "n02100735"),
            (3, "n02110185"),
            (4, "n02096294"),
            (5, "n02102040"),
            // A bird and a machine, both called crane.
            (429, "n02012849"),
            (545, "n03126707"),
        ] {
            assert_eq!(wnid(&id.to_string()), Some(known));
        }
        for none in ["0", "1001", "", "-1", "n02119789"] {
            assert_eq!(wnid(none), None, "{none}");
        }
    }

    #[test]
    fn a_whole_label_file_in_another_order_is_refused() {
        let known = |classes: &std::sync::Arc<[usize]>| classes.first().copied().unwrap_or(0);
        let classes: Vec<usize> = real::labels().iter().map(known).collect();
        let wnid = |class: &usize| imagenet::wnids()[*class];
        let right: Vec<&str> = classes.iter().map(wnid).collect();
        check_against_real(&right).unwrap();
        // As if the devkit's ids counted the classes in their order.
        let wrong = |class: &usize| wnids()[*class];
        let wrong: Vec<&str> = classes.iter().map(wrong).collect();
        let reason = check_against_real(&wrong).unwrap_err();
        assert!(reason.contains("of 46837 pictures"), "{reason}");
        // Of some pictures nothing is known.
        check_against_real(&wrong[..100]).unwrap();
    }
}
