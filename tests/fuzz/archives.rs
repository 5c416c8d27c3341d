use std::collections::BTreeMap;

use uta_eval::data::{ClassFolders, DataLocation, read};

use super::mutations::mutated;
use super::{files, print, rounds};
use crate::support::Folder;

/// An archive of class folders, of small pictures.
fn tar() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (index, (_, bytes)) in files("pictures", &["bmp", "png"])
        .into_iter()
        .enumerate()
        .take(12)
    {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let class = ["n01440764", "n01443537", "n01484850"][index % 3];
        let name = format!("val/{class}/picture_{index}.JPEG");
        archive.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

#[test]
fn damaged_archives_and_tables_are_read_or_refused() {
    let mut archives = files("parquet", &["parquet"]);
    archives.push(("val.tar".into(), tar()));
    let folder = Folder::new();
    let mut counts = BTreeMap::new();
    for (index, (name, bytes)) in archives.into_iter().enumerate() {
        let usual = if name == "val.tar" { 400 } else { 60 };
        for round in 0..rounds(usual) {
            let seed = 3_000_000_000 + 1_000_000 * index as u64 + round;
            let path = folder.write(&name, mutated(&bytes, seed));
            let way = match DataLocation::new(path).find(&ClassFolders::imagenet()) {
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    "refused"
                }
                Ok(data_set) => {
                    let mut picture = Vec::new();
                    let unread = data_set
                        .samples
                        .iter()
                        .filter(|sample| read(&sample.storage, &mut picture).is_err());
                    match unread.count() {
                        0 => "read",
                        _ => "found, with pictures that cannot be read",
                    }
                }
            };
            *counts.entry(way.to_string()).or_insert(0) += 1;
        }
    }
    print("damaged archives and tables", &counts);
    assert!(counts["refused"] > 0 && counts["read"] > 0);
}
