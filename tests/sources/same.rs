use super::util::*;
use crate::support::{Folder, run};

#[test]
fn the_same_pictures_give_the_same_bits_through_every_source() {
    let output = Folder::new();
    let pictures = pictures();
    let folder = Folder::new();
    for picture in &pictures {
        folder.write(
            &format!("{}/{}", picture.wnid, picture.name),
            &picture.bytes,
        );
    }
    let (expected, _) = predictions(folder.path(), &output, &[]);
    assert_eq!(expected.len(), 44);

    let check = |what: &str, path: &std::path::Path, more: &[&str]| {
        assert!(predictions(path, &output, more).0 == expected, "{what}");
    };

    // Flat, with each form of labels.
    let flat = Folder::new();
    for (index, picture) in pictures.iter().enumerate() {
        flat.write(&format!("val/{}", flat_name(index)), &picture.bytes);
    }
    let lines = |line: &dyn Fn(usize, &Picture) -> String| -> String {
        let line = |(index, picture): (usize, &Picture)| line(index, picture) + "\n";
        pictures.iter().enumerate().map(line).collect()
    };
    let kaggle = |i, p: &Picture| format!("{},{1} 1 2 3 4 {1} 5 6 7 8", stem(i), p.wnid);
    let title = "picture,index_from_0\n";
    let forms: [(&str, String); 8] = [
        (
            "LOC_val_solution.csv",
            format!("ImageId,PredictionString\n{}", lines(&kaggle)),
        ),
        (
            "imagenet_2012_validation_synset_labels.txt",
            lines(&|_, p| p.wnid.clone()),
        ),
        (
            "ILSVRC2012_validation_ground_truth.txt",
            lines(&|_, p| devkit_id(&p.wnid).to_string()),
        ),
        (
            "index.csv",
            title.to_string() + &lines(&|i, p| format!("{},{}", stem(i), p.class())),
        ),
        (
            "zero.txt",
            lines(&|i, p| format!("val/{} {}", flat_name(i), p.class())) + "other.JPEG 0\n",
        ),
        (
            "wnids.tsv",
            "filename\tlabel\n".to_string()
                + &lines(&|i, p| format!("val/{}\t{}", flat_name(i), p.wnid)),
        ),
        (
            "wnids.csv",
            lines(&|i, p| format!("\"{}\",\"{}\",\"a, b\"\r", flat_name(i), p.wnid)),
        ),
        (
            "wnids.txt",
            lines(&|i, p| format!("{}  {}", flat_name(i), p.wnid)),
        ),
    ];
    let archive: Vec<_> = pictures
        .iter()
        .enumerate()
        .map(|(index, picture)| (flat_name(index), picture.bytes.clone()))
        .collect();
    let archives = Folder::new();
    for (name, text) in forms {
        let labels = flat.write(name, &text);
        if uta_eval::data::LABEL_FILES.contains(&name) {
            check(name, flat.path(), &[]);
            check(name, &flat.join("val"), &["--source", "flat"]);
        }
        check(name, flat.path(), &["--labels", labels.to_str().unwrap()]);
        let tar = archives.write("val.tar", tar(&archive));
        check(name, &tar, &["--labels", labels.to_str().unwrap()]);
        std::fs::remove_file(labels).unwrap();
    }

    // A tar archive with class folders, made with `tar c .`.
    let members: Vec<_> = pictures
        .iter()
        .map(|p| (format!("./val/{}/{}", p.wnid, p.name), p.bytes.clone()))
        .collect();
    check("tar", &archives.write("folders.tar", tar(&members)), &[]);

    // WebDataset shards with each form of labels.
    type Label<'a> = &'a dyn Fn(&Picture) -> String;
    let forms: [(&str, Label); 6] = [
        ("cls", &|p| p.class().to_string()),
        ("cls", &|p| format!("{}\n", p.wnid)),
        ("txt", &|p| p.class().to_string()),
        ("json", &|p| {
            format!("{{\"label\": {}, \"width\": 5}}", p.class())
        }),
        ("json", &|p| format!("{{\"cls\": \"{}\"}}", p.wnid)),
        ("json", &|p| p.class().to_string()),
    ];
    for (ending, label) in forms {
        let shards = Folder::new();
        for (number, pictures) in pictures.chunks(16).enumerate() {
            let members: Vec<_> = pictures
                .iter()
                .enumerate()
                .flat_map(|(index, picture)| {
                    [
                        (format!("{index:05}.{ending}"), label(picture).into_bytes()),
                        (format!("{index:05}.jpg"), picture.bytes.clone()),
                    ]
                })
                .collect();
            shards.write(&format!("set/shard-{number:02}.tar"), tar(&members));
        }
        check(ending, &shards.join("set"), &[]);
        check(ending, &shards.join("set/shard-{00..02}.tar"), &[]);
    }

    // Parquet files, as the hub names them.
    let rows = rows(&pictures);
    let hub = Folder::new();
    for (number, rows) in rows.chunks(20).enumerate() {
        let name = format!("data/validation-{number:05}-of-00003.parquet");
        hub.write(&name, Table::default().write(rows));
    }
    hub.write("data/train-00000-of-00002.parquet", "never read");
    hub.write("data/test-00000-of-00001.parquet", "never read");
    hub.write("README.md", "x");
    check("hub", hub.path(), &[]);
    check("folder", &hub.join("data"), &["--source", "parquet"]);
    let pattern = hub.join("data/validation-{00000..00002}-of-00003.parquet");
    check("pattern", &pattern, &[]);
}

#[test]
fn reports_say_what_the_source_was_and_show_pictures_of_archives() {
    let pictures = pictures();
    let folder = Folder::new();
    let members: Vec<_> = pictures[..3]
        .iter()
        .enumerate()
        .map(|(index, picture)| (flat_name(index), picture.bytes.clone()))
        .collect();
    let archive = folder.write("ILSVRC2012_img_val.tar", tar(&members));
    // Wrong labels make mistakes, which a report shows.
    let wrong = &pictures.last().unwrap().wnid;
    let labels: String = (0..3).map(|i| format!("{},{wrong}\n", stem(i))).collect();
    folder.write("LOC_val_solution.csv", &labels);
    let (json, html) = (folder.join("result.json"), folder.join("result.html"));
    let outputs = [
        "--json",
        json.to_str().unwrap(),
        "--report",
        html.to_str().unwrap(),
    ];
    let name = "LOC_val_solution.csv";
    evaluated(&archive, &outputs, 0);
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!(value["data"]["source"], "tar");
    assert_eq!(value["data"]["path"], archive.to_str().unwrap());
    assert!(
        value["data"]["labels_file"]
            .as_str()
            .unwrap()
            .ends_with(name)
    );
    assert_eq!(value["judgements"][0][0], flat_name(0));
    let thumbnail = "data:image/";
    assert!(std::fs::read_to_string(&html).unwrap().contains(thumbnail));
    evaluated(&archive, &[], 0).printed(&["(tar archive, labels of ", name]);

    // The folder of the archive does as well, and merging finds the pictures again.
    evaluated(folder.path(), &[], 0).printed(&["(tar archive, labels of "]);
    let mut merged = vec!["merge".to_string()];
    for shard in ["1/2", "2/2"] {
        let json = folder.join(&shard.replace('/', "-"));
        let json = json.to_str().unwrap();
        evaluated(&archive, &["--shard", shard, "--json", json], 0);
        merged.push(json.into());
    }
    merged.extend(["--report".into(), html.to_str().unwrap().into()]);
    run(&merged).ended_with(0);
    assert!(std::fs::read_to_string(&html).unwrap().contains(thumbnail));
}

#[test]
fn a_journal_knows_a_changed_archive() {
    let pictures = pictures();
    let folder = Folder::new();
    let journal = folder.join("journal");
    let more = ["--resume", journal.to_str().unwrap()];
    let rows = rows(&pictures[..4]);
    let file = folder.write("a.parquet", Table::default().write(&rows));
    evaluated(&file, &more, 0);
    evaluated(&file, &more, 0).warned(&["4 of 4 pictures are in the journal"]);
    folder.write(
        "a.parquet",
        Table {
            zstd: true,
            ..Table::default()
        }
        .write(&rows),
    );
    evaluated(&file, &more, 2).said(&["pictures was"]);
}
