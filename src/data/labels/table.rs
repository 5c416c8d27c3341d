//! The labels of a Parquet file's rows: what their numbers count, and whether everything that a
//! row says of its picture's class agrees.

use super::class_names::{Order, order};
use crate::data::containers::table::{Cell, Table};
use crate::data::sets::ClassFolders;
use crate::util::brief;

/// The class of each row's picture. `paths` are those of [`Table::paths`].
///
/// # Errors
/// When the file is damaged, or a row's class is absent or in doubt.
pub fn classes(
    table: &Table,
    paths: Option<&[Option<String>]>,
    classes: &ClassFolders,
) -> Result<Vec<usize>, String> {
    let wnids = table.wnids()?;
    let order = match table.class_names() {
        None => Order::Classes,
        Some(names) => order(&names, classes)?,
    };
    let class = |(row, label): (usize, Cell)| {
        let class = class_of_label(row, label, &order, classes)?;
        let folder = paths.and_then(|paths| folder_of(paths[row].as_deref()?));
        let claims = [
            folder.and_then(|folder| Some(("its path", classes.claimed_by(folder)?))),
            wnids.as_ref().and_then(|wnids| match &wnids[row] {
                Cell::Text(wnid) => Some(("its WordNet id", classes.class_of(wnid)?)),
                _ => None,
            }),
        ];
        match claims.into_iter().flatten().find(|(_, c)| *c != class) {
            Some((by, other)) => Err(format!(
                "its row {row} is of class {class} by its label, but of class {other} by {by}; are the labels numbers of another order?"
            )),
            None => Ok(class),
        }
    };
    table.labels()?.into_iter().enumerate().map(class).collect()
}

fn class_of_label(
    row: usize,
    label: Cell,
    order: &Order,
    classes: &ClassFolders,
) -> Result<usize, String> {
    let without = |what: &str| {
        Err(format!(
            "its row {row} has no label ({what}); this is a split without labels, such as the test split"
        ))
    };
    match label {
        Cell::Null => without("null"),
        Cell::Number(-1) => without("-1"),
        Cell::Text(name) => classes.class_of(&name).ok_or_else(|| {
            let name = brief::excerpt(&name);
            format!("the label {name:?} of its row {row} is no class")
        }),
        Cell::Number(number) => usize::try_from(number)
            .ok()
            .and_then(|index| match order {
                Order::These(order) => order.get(index).copied(),
                Order::Classes => classes.of_index(index),
            })
            .ok_or_else(|| {
                format!(
                    "the label {number} of its row {row} is {}",
                    classes.no_index()
                )
            }),
    }
}

/// The folder that a path ends in.
fn folder_of(path: &str) -> Option<&str> {
    path.rsplit(['/', '\\']).nth(1)
}
