use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::{Compression, ZstdLevel};
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use tar::{Builder, EntryType, Header};

use crate::support::{Folder, Ran, demo, demo_on, quick_demo_on, run};

/// A picture of the demo.
pub struct Picture {
    pub wnid: String,
    pub name: String,
    pub bytes: Vec<u8>,
}

impl Picture {
    pub fn class(&self) -> usize {
        uta_eval::text::imagenet::class_of_wnid(&self.wnid).unwrap()
    }
}

/// Every fifth picture of the demo, in the order of the folders.
pub fn pictures() -> Vec<Picture> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(demo("imagenet/val"))
        .unwrap()
        .flat_map(|class| std::fs::read_dir(class.unwrap().path()).unwrap())
        .map(|file| file.unwrap().path())
        .collect();
    paths.sort();
    assert_eq!(paths.len(), 220);
    let picture = |path: PathBuf| Picture {
        wnid: path.iter().rev().nth(1).unwrap().to_str().unwrap().into(),
        name: path.file_name().unwrap().to_str().unwrap().into(),
        bytes: std::fs::read(&path).unwrap(),
    };
    paths.into_iter().step_by(5).map(picture).collect()
}

/// What the validation set calls its pictures.
pub fn flat_name(index: usize) -> String {
    format!("ILSVRC2012_val_{:08}.JPEG", index + 1)
}

pub fn stem(index: usize) -> String {
    flat_name(index).trim_end_matches(".JPEG").into()
}

/// An archive of members.
pub fn tar<N: AsRef<str>>(members: &[(N, Vec<u8>)]) -> Vec<u8> {
    let mut archive = Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let name = name.as_ref();
        archive
            .append_data(&mut header, name, bytes.as_slice())
            .unwrap();
    }
    archive.into_inner().unwrap()
}

/// A header that a test writes itself.
pub fn header(name: &str, kind: EntryType, size: u64) -> Vec<u8> {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_cksum();
    header.as_bytes().to_vec()
}

/// Bytes padded to whole blocks.
pub fn padded(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The mark of an archive's end.
pub const END: [u8; 1024] = [0; 1024];

/// How a Parquet file is written.
pub struct Table<'a> {
    pub schema: &'a str,
    /// Rows of a row group.
    pub group: usize,
    /// Names of the classes, as the hub keeps them.
    pub names: Option<Vec<String>>,
    pub zstd: bool,
    pub version_2: bool,
}

/// The columns as the hub has them.
pub const HUB: &str = "message schema {
    optional group image { optional binary bytes; optional binary path (UTF8); }
    optional int64 label;
}";

impl Default for Table<'_> {
    fn default() -> Self {
        Self {
            schema: HUB,
            group: 100,
            names: None,
            zstd: false,
            version_2: false,
        }
    }
}

/// A row: the picture, its name, its label.
pub type Row = (Option<Vec<u8>>, String, i64);

impl Table<'_> {
    /// The file's bytes.
    pub fn write(&self, rows: &[Row]) -> Vec<u8> {
        let schema = Arc::new(parse_message_type(self.schema).unwrap());
        let features = self.names.as_ref().map(|names| {
            let label = serde_json::json!({ "names": names, "_type": "ClassLabel" });
            let value = serde_json::json!({ "info": { "features": { "label": label } } });
            vec![KeyValue::new("huggingface".into(), value.to_string())]
        });
        let properties = WriterProperties::builder()
            .set_compression(match self.zstd {
                true => Compression::ZSTD(ZstdLevel::default()),
                false => Compression::SNAPPY,
            })
            .set_writer_version(match self.version_2 {
                true => WriterVersion::PARQUET_2_0,
                false => WriterVersion::PARQUET_1_0,
            })
            .set_key_value_metadata(features)
            .set_data_page_size_limit(10_000)
            .set_write_batch_size(3)
            .build();
        let mut bytes = Vec::new();
        let mut writer =
            SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
        let columns: Vec<String> = writer
            .schema_descr()
            .columns()
            .iter()
            .map(|column| column.path().string())
            .collect();
        let top: Vec<i16> = writer
            .schema_descr()
            .columns()
            .iter()
            .map(|column| column.max_def_level())
            .collect();
        for rows in rows.chunks(self.group) {
            let mut group = writer.next_row_group().unwrap();
            for (column, top) in columns.iter().zip(&top) {
                let all = vec![*top; rows.len()];
                let mut next = group.next_column().unwrap().unwrap();
                match column.as_str() {
                    "label" => {
                        let values: Vec<i64> = rows.iter().map(|row| row.2).collect();
                        let writer = next.typed::<Int64Type>();
                        writer.write_batch(&values, Some(&all), None).unwrap();
                    }
                    "image.path" | "note" => {
                        let value = |row: &Row| ByteArray::from(row.1.as_str());
                        let values: Vec<ByteArray> = rows.iter().map(value).collect();
                        let writer = next.typed::<ByteArrayType>();
                        writer.write_batch(&values, Some(&all), None).unwrap();
                    }
                    _ => {
                        let pictures = rows.iter().filter_map(|row| row.0.clone());
                        let values: Vec<ByteArray> = pictures.map(ByteArray::from).collect();
                        let level = |row: &Row| *top - i16::from(row.0.is_none());
                        let levels: Vec<i16> = rows.iter().map(level).collect();
                        let writer = next.typed::<ByteArrayType>();
                        writer.write_batch(&values, Some(&levels), None).unwrap();
                    }
                }
                next.close().unwrap();
            }
            group.close().unwrap();
        }
        writer.close().unwrap();
        bytes
    }
}

/// The rows of pictures as the hub has them.
pub fn rows(pictures: &[Picture]) -> Vec<Row> {
    pictures
        .iter()
        .enumerate()
        .map(|(index, picture)| {
            let name = format!("{}_{}.JPEG", stem(index), picture.wnid);
            (Some(picture.bytes.clone()), name, picture.class() as i64)
        })
        .collect()
}

/// What a run predicts: the lines without the pictures' names, and the names.
pub fn predictions(
    pictures: &Path,
    folder: &Folder,
    more: &[&str],
) -> (Vec<serde_json::Value>, Vec<String>) {
    let file = folder.join("predictions.jsonl");
    let mut arguments = quick_demo_on(pictures, folder);
    arguments.extend(more.iter().map(|a| a.to_string()));
    arguments.extend(["--predictions".into(), file.to_str().unwrap().into()]);
    run(&arguments).ended_with(0);
    let lines = std::fs::read_to_string(file).unwrap();
    lines
        .lines()
        .map(|line| {
            let mut line: serde_json::Value = serde_json::from_str(line).unwrap();
            let path = line.as_object_mut().unwrap().remove("path").unwrap();
            (line, path.as_str().unwrap().to_string())
        })
        .unzip()
}

/// Evaluates `path`, which must be refused.
#[track_caller]
pub fn refused(path: &Path, more: &[&str], texts: &[&str]) -> Ran {
    let mut arguments = demo_on(path);
    arguments.extend(more.iter().map(|a| a.to_string()));
    run(&arguments).ended_with(3).said(texts)
}

/// Evaluates `path`, and leaves warnings and results to look at.
#[track_caller]
pub fn evaluated(path: &Path, more: &[&str], code: i32) -> Ran {
    let folder = Folder::new();
    let mut arguments = quick_demo_on(path, &folder);
    arguments.extend(more.iter().map(|a| a.to_string()));
    run(&arguments).ended_with(code)
}

/// The devkit's id of a class.
pub fn devkit_id(wnid: &str) -> usize {
    let order = uta_eval::data::devkit_wnids();
    order.iter().position(|other| *other == wnid).unwrap() + 1
}

/// An order of synsets as a list with their ids.
pub fn synset_list(order: &[&str]) -> String {
    order
        .iter()
        .enumerate()
        .map(|(index, wnid)| format!("{wnid} {} name\n", index + 1))
        .collect()
}
