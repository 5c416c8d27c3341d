use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use uta_eval::data::{ClassFolders, DataLocation, Loader, LoaderSettings, Samples};
use uta_eval::picture::Preprocessor;
use uta_eval::picture::preprocessing::Interpolation;

use crate::pictures::jpeg;
use crate::timing::middle;

const PICTURES: usize = 1024;
const WNID: &str = "n01440764";

/// Passes over each source, in turn, so that a change of the machine's pace meets all alike.
const PASSES: usize = 15;

/// Pictures a second of loading from each source, and the time of finding them.
pub fn table() {
    let folder = tempfile::tempdir().unwrap();
    let picture = jpeg(500, 375, 97, false);
    println!(
        "\nsources: {PICTURES} 500 x 375 JPEGs of {} kB to 224, {} threads, from the page cache",
        picture.len() / 1000,
        rayon::current_num_threads()
    );
    write_folders(&folder.path().join("folders"), &picture);
    write_tar(&folder.path().join("val.tar"), &picture, false);
    write_tar(&folder.path().join("shard-0.tar"), &picture, true);
    write_table(&folder.path().join("groups of 100.parquet"), &picture, 100);
    write_table(
        &folder.path().join("groups of 1024.parquet"),
        &picture,
        1024,
    );
    let names = [
        "folders",
        "val.tar",
        "shard-0.tar",
        "groups of 100.parquet",
        "groups of 1024.parquet",
    ];
    let sets: Vec<(f64, Samples)> = names
        .iter()
        .map(|name| {
            let location = DataLocation::new(folder.path().join(name));
            let clock = Instant::now();
            let data = location.find(&ClassFolders::imagenet()).unwrap();
            assert_eq!(data.samples.len(), PICTURES);
            (clock.elapsed().as_secs_f64(), data.samples)
        })
        .collect();
    let mut rates = vec![Vec::new(); names.len()];
    for _ in 0..PASSES {
        for ((_, samples), rates) in sets.iter().zip(&mut rates) {
            rates.push(load(samples));
        }
    }
    println!(
        "{:<24} {:>12} {:>14} {:>14}",
        "source", "found in ms", "pictures/s", "of folders'"
    );
    // Pass by pass against the folders' rate of the same pass.
    let folders = rates[0].clone();
    for ((name, (found, _)), rates) in names.iter().zip(&sets).zip(rates) {
        let ratios = rates.iter().zip(&folders).map(|(a, b)| a / b).collect();
        println!(
            "{name:<24} {:>12.1} {:>14.1} {:>14.3}",
            found * 1e3,
            middle(rates),
            middle(ratios)
        );
    }
}

fn load(samples: &Samples) -> f64 {
    let settings = LoaderSettings {
        batch_size: 64,
        workers: rayon::current_num_threads(),
    };
    let preprocessor = Preprocessor::new(224, Interpolation::Bicubic);
    let clock = Instant::now();
    let loader =
        Loader::start(samples.clone(), Default::default(), preprocessor, settings).unwrap();
    let loaded: usize = loader.map(|batch| batch.samples.len()).sum();
    assert_eq!(loaded, PICTURES);
    PICTURES as f64 / clock.elapsed().as_secs_f64()
}

fn write_folders(folder: &Path, picture: &[u8]) {
    let class = folder.join(WNID);
    std::fs::create_dir_all(&class).unwrap();
    for number in 0..PICTURES {
        std::fs::write(class.join(format!("{number:08}.JPEG")), picture).unwrap();
    }
}

fn write_tar(path: &Path, picture: &[u8], labels: bool) {
    let mut archive = tar::Builder::new(std::fs::File::create(path).unwrap());
    let mut add = |name: String, bytes: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        archive.append_data(&mut header, name, bytes).unwrap();
    };
    for number in 0..PICTURES {
        if labels {
            add(format!("{number:08}.cls"), b"0");
            add(format!("{number:08}.jpg"), picture);
        } else {
            add(format!("{WNID}/{number:08}.JPEG"), picture);
        }
    }
    archive.finish().unwrap();
}

fn write_table(path: &Path, picture: &[u8], group: usize) {
    let schema = "message schema {
        optional group image { optional binary bytes; optional binary path (UTF8); }
        optional int64 label;
    }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let file = std::fs::File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema, Arc::new(properties)).unwrap();
    for first in (0..PICTURES).step_by(group) {
        let rows = first..PICTURES.min(first + group);
        let count = rows.len();
        let mut columns = writer.next_row_group().unwrap();
        let names: Vec<ByteArray> = rows
            .map(|number| ByteArray::from(format!("{number:08}.JPEG").as_str()))
            .collect();
        for values in [vec![ByteArray::from(picture.to_vec()); count], names] {
            let mut column = columns.next_column().unwrap().unwrap();
            let levels = vec![2; count];
            let writer = column.typed::<ByteArrayType>();
            writer.write_batch(&values, Some(&levels), None).unwrap();
            column.close().unwrap();
        }
        let mut column = columns.next_column().unwrap().unwrap();
        let writer = column.typed::<Int64Type>();
        let levels = vec![1; count];
        writer
            .write_batch(&vec![0; count], Some(&levels), None)
            .unwrap();
        column.close().unwrap();
        columns.close().unwrap();
    }
    writer.close().unwrap();
}
