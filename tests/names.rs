//! Names with any bytes: in documents, in text for people, and in nobody's way.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Folder, Ran, demo, run, run_with};

/// A path in a folder that ends in this name.
fn path(folder: &Folder, name: &[u8]) -> PathBuf {
    folder.path().join(OsStr::from_bytes(name))
}

fn words(words: &[&dyn AsRef<OsStr>]) -> Vec<OsString> {
    words.iter().map(|word| word.as_ref().into()).collect()
}

/// Two pictures of one class of the demo's, under `root`.
fn pictures(root: &Path, names: [&[u8]; 2]) {
    let class = root.join("n01440764");
    std::fs::create_dir_all(&class).unwrap();
    for (number, name) in names.iter().enumerate() {
        let from = demo(&format!("imagenet/val/n02165456/n02165456_00{number}.jpg"));
        std::fs::copy(from, class.join(OsStr::from_bytes(name))).unwrap();
    }
}

fn value(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn ends(value: &Value, end: &str) {
    assert!(value.as_str().unwrap().ends_with(end), "{value}");
}

#[test]
fn paths_that_are_no_text_are_in_every_document_as_the_readme_promises() {
    let folder = Folder::new();
    let at = |name: &[u8]| path(&folder, name);
    let set = at(b"set\xe9");
    pictures(&set, [b"a\xe8.jpg", b"a\xe9.jpg"]);
    let checkpoint = at(b"m\xe9.safetensors");
    std::fs::copy(demo("uta_demo.safetensors"), &checkpoint).unwrap();
    let (templates, names) = (at(b"t\xe9.txt"), at(b"n\xe9.txt"));
    std::fs::write(&templates, "a photo of a {}.\n").unwrap();
    let list = uta_eval::text::ClassNames::imagenet().names().join("\n");
    std::fs::write(&names, list).unwrap();
    let classifier = at(b"c\xe9.safetensors");
    let model = words(&[&"--model", &"uta_demo", &"--ckpt-path", &checkpoint]);
    let prompts = words(&[&"--templates", &templates, &"--classnames", &names]);
    let out = words(&[&"classifier", &"--no-cache", &"--out", &classifier]);
    run(&[&out[..], &model, &prompts].concat()).ended_with(0);

    let (json, features) = (at(b"r\xe9.json"), at(b"f\xe9.safetensors"));
    let (lines, page, journal) = (at(b"p\xe9.jsonl"), at(b"h\xe9.html"), at(b"j\xe9"));
    let base = words(&[&"--imagenet-path", &set, &"--no-cache", &"--json", &json]);
    let base = [&base[..], &model, &prompts].concat();
    let outputs = words(&[
        &"--save-features",
        &features,
        &"--predictions",
        &lines,
        &"--report",
        &page,
    ]);
    run(&[&base[..], &outputs].concat()).ended_with(0);
    let first = value(&json);
    ends(&first["data"]["path"], "/set\\xE9");
    ends(&first["checkpoint"]["path"], "/m\\xE9.safetensors");
    assert_eq!(first["checkpoint"]["name"], "m\\xE9.safetensors");
    ends(&first["prompts"]["templates_file"], "/t\\xE9.txt");
    ends(&first["prompts"]["classnames_file"], "/n\\xE9.txt");
    let rows = first["judgements"].clone();
    assert_eq!(rows[0][0], "n01440764/a\\xE8.jpg");
    assert_eq!(rows[1][0], "n01440764/a\\xE9.jpg");
    let written = std::fs::read_to_string(&lines).unwrap();
    assert!(
        written.contains("a\\\\xE8.jpg") && written.contains("a\\\\xE9.jpg"),
        "{written}"
    );
    // The thumbnails are of pictures that were found by their written names.
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(html.contains("data:image/jpeg"));

    // From features, whose record has the paths; their pictures are found again.
    let from = words(&[
        &"--from-features",
        &features,
        &"--json",
        &json,
        &"--report",
        &page,
    ]);
    run(&from).ended_with(0);
    let again = value(&json);
    assert_eq!(again["judgements"], rows);
    assert_eq!(again["data"], first["data"]);
    ends(&again["features_file"], "/f\\xE9.safetensors");
    assert!(
        std::fs::read_to_string(&page)
            .unwrap()
            .contains("data:image/jpeg")
    );

    // A journal and a classifier, twice.
    let more = words(&[&"--resume", &journal]);
    let made = words(&[
        &"--imagenet-path",
        &set,
        &"--json",
        &json,
        &"--classifier",
        &classifier,
    ]);
    for _ in 0..2 {
        run(&[&made[..], &model, &more].concat()).ended_with(0);
        assert_eq!(value(&json)["judgements"], rows);
        ends(&value(&json)["classifier"]["path"], "/c\\xE9.safetensors");
    }

    let compared = at(b"d\xe9.json");
    run(&words(&[&"compare", &json, &json, &"--json", &compared])).ended_with(0);
    ends(&value(&compared)["a"]["path"], "/r\\xE9.json");
    let checked = at(b"k\xe9.json");
    let check = words(&[&"data", &"check", &set, &"--json", &checked]);
    run(&check).ended_with(1);
    ends(&value(&checked)["path"], "/set\\xE9");
    let picture = set.join("n01440764").join(OsStr::from_bytes(b"a\xe9.jpg"));
    let classify = words(&[&"classify", &picture, &"--labels", &"a,b", &"--json", &json]);
    run(&[&classify[..], &model].concat()).ended_with(0);
    ends(&value(&json)["pictures"][0]["path"], "/a\\xE9.jpg");
    ends(&value(&json)["checkpoint"], "/m\\xE9.safetensors");
    run(&words(&[&"inspect", &checkpoint]))
        .ended_with(0)
        .printed(&["/m\\xE9.safetensors"]);
    let converted = at(b"o\xe9.safetensors");
    run(&words(&[&"convert", &checkpoint, &converted]))
        .ended_with(0)
        .printed(&["/o\\xE9.safetensors: "]);
}

#[test]
fn checkpoints_that_differ_in_a_byte_are_two_in_a_sweep_and_its_journal() {
    let folder = Folder::new();
    let set = path(&folder, b"set");
    pictures(&set, [b"a.jpg", b"b.jpg"]);
    let [one, two] = [b"m\xe8.safetensors", b"m\xe9.safetensors"].map(|name| path(&folder, name));
    std::fs::copy(demo("uta_demo.safetensors"), &one).unwrap();
    // Its text tower is another, and so its results are.
    std::fs::copy(demo("uta_demo.safetensors"), &two).unwrap();
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let (out, journal) = (path(&folder, b"out\xe9"), path(&folder, b"journal\xe9"));
    let flags = words(&[
        &"--no-cache",
        &"--model",
        &"uta_demo",
        &"--imagenet-path",
        &set,
        &"--templates",
        &templates,
        &"--ckpt-path",
        &one,
        &two,
        &"--out",
        &out,
        &"--resume",
        &journal,
    ]);
    for _ in 0..2 {
        run(&flags).ended_with(0).printed(&["m\\xE8", "m\\xE9"]);
    }
    let kept = std::fs::read_to_string(journal).unwrap();
    assert_eq!(kept.matches("\"run\":{").count(), 2, "{kept}");
    let table = std::fs::read_to_string(out.join("table.csv")).unwrap();
    assert!(table.contains("/m\\xE8.safetensors") && table.contains("/m\\xE9.safetensors"));
}

/// What must not become a line of its own.
const FORGED: &str = "x\nFORGED\r\u{b}\u{c}\u{85}\u{2028}\u{2029}\u{1b}[31m\u{202e}\u{61c}\u{9b}y";

/// Checks that nothing forged a line, and that nothing commands a terminal.
#[track_caller]
fn sound(ran: &Ran) {
    for text in [&ran.stdout, &ran.stderr] {
        sound_text(text);
    }
    assert_ne!(ran.code, 101);
}

#[track_caller]
fn sound_text(text: &str) {
    let commands = |c: char| {
        (c.is_control() && !matches!(c, '\n' | '\t'))
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202e}' | '\u{61c}')
    };
    assert!(!text.contains(commands), "{text:?}");
    assert!(
        !text
            .lines()
            .any(|line| line.trim_start().starts_with("FORGED")),
        "{text}"
    );
}

#[test]
fn no_name_of_a_file_forges_a_line() {
    let folder = Folder::new();
    let at = |name: &str| folder.path().join(format!("{FORGED}{name}"));
    let set = at("set");
    let picture = format!("{FORGED}a.jpg");
    pictures(&set, [picture.as_bytes(), b"b.png"]);
    std::fs::write(
        set.join("n01440764").join(format!("{FORGED}c.jpg")),
        "no picture",
    )
    .unwrap();
    let copy = set.join("n01440764").join(format!("{FORGED}d.jpg"));
    std::fs::copy(set.join("n01440764").join(&picture), copy).unwrap();
    let checkpoint = at("m.safetensors");
    std::fs::copy(demo("uta_demo.safetensors"), &checkpoint).unwrap();
    let (templates, names) = (at("t.txt"), at("n.txt"));
    std::fs::write(&templates, "a photo of a {}.\n").unwrap();
    let list = uta_eval::text::ClassNames::imagenet().names().join("\n");
    std::fs::write(&names, list).unwrap();
    let model = words(&[&"--model", &"uta_demo", &"--ckpt-path", &checkpoint]);
    let prompts = words(&[&"--templates", &templates, &"--classnames", &names]);
    let (json, trace) = (at("r.json"), at("trace.json"));
    let (csv, page, features) = (at("p.csv"), at("h.html"), at("f.safetensors"));
    let base = words(&[
        &"--imagenet-path",
        &set,
        &"--no-cache",
        &"-v",
        &"--json",
        &json,
    ]);
    let outputs = words(&[
        &"--trace",
        &trace,
        &"--predictions",
        &csv,
        &"--report",
        &page,
        &"--save-features",
        &features,
    ]);
    let base = [&base[..], &model, &prompts].concat();
    let ran = run(&[&base[..], &outputs].concat()).ended_with(6);
    sound(
        &ran.printed(&["x\\nFORGED"])
            .warned(&["unreadable: ", "x\\nFORGED"]),
    );
    // Documents have the names as they are, in their own form.
    assert!(
        value(&json)["data"]["path"]
            .as_str()
            .unwrap()
            .ends_with(&format!("{FORGED}set"))
    );
    assert!(value(&trace).is_array());
    let mut predictions = csv::Reader::from_path(&csv).unwrap();
    assert_eq!(
        predictions
            .records()
            .filter(|row| row.as_ref().unwrap().len() == 12)
            .count(),
        3
    );

    let from = words(&[&"--from-features", &features]);
    sound(&run(&from).ended_with(6));
    let out = at("out");
    let sweep = words(&[&"--out", &out]);
    let base = words(&[&"--imagenet-path", &set, &"--no-cache", &"-v"]);
    sound(&run(&[&base[..], &model, &prompts, &sweep].concat()).ended_with(6));
    for table in ["table.md", "table.tex"] {
        sound_text(&std::fs::read_to_string(out.join(table)).unwrap());
    }
    sound(&run(&words(&[&"data", &"check", &set, &"--full"])));
    sound(&run(&words(&[&"compare", &json, &json])).ended_with(0));
    sound(&run(&words(&[&"inspect", &checkpoint])).ended_with(0));
    sound(&run(&words(&[&"convert", &checkpoint, &at("o.safetensors")])).ended_with(0));
    let broken = set.join("n01440764").join(format!("{FORGED}c.jpg"));
    let readable = set.join("n01440764").join(&picture);
    let classify = words(&[&"classify", &readable, &broken, &"--labels", &FORGED]);
    sound(&run(&[&classify[..], &model].concat()).ended_with(6));

    // Files that are not there, or are something else.
    let (none, garbage) = (at("none"), at("garbage"));
    std::fs::write(&garbage, format!("{FORGED}\n{{")).unwrap();
    for file in [&none, &garbage, &set] {
        for flag in [
            "--templates",
            "--classnames",
            "--classifier",
            "--model",
            "--resume",
            "--labels",
        ] {
            let base = words(&[&"--imagenet-path", &demo("imagenet"), &"--no-cache"]);
            let one = words(&[&flag, file]);
            let ran = run(&[&base[..], &model, &one].concat());
            // A journal may be new.
            assert!(ran.code != 0 || flag == "--resume");
            sound(&ran);
        }
        for command in [
            "inspect",
            "merge",
            "sweep",
            "--from-features",
            "convert",
            "classify",
        ] {
            let mut arguments = words(&[&command, file]);
            if command == "classify" {
                arguments = [&arguments[..], &words(&[&"--labels", &"a"]), &model].concat();
            } else if command == "convert" {
                arguments.push(at("never").into());
            }
            let ran = run(&arguments);
            assert_ne!(ran.code, 0);
            sound(&ran);
        }
        let check = run(&words(&[&"data", &"check", file]));
        sound(&check);
    }
}

#[test]
fn no_name_in_a_file_forges_a_line() {
    let folder = Folder::new();
    let set = folder.join("set");
    pictures(&set, [b"a.jpg", b"b.jpg"]);
    let checkpoint = demo("uta_demo.safetensors");
    let model = words(&[&"--model", &"uta_demo", &"--ckpt-path", &checkpoint]);
    let templates = folder.write("templates.txt", "a photo of a {}.\n");
    let evaluate = words(&[
        &"--imagenet-path",
        &set,
        &"--no-cache",
        &"--templates",
        &templates,
    ]);
    // Class names may have all but line ends; the worst confusion is printed with both.
    let odd = "a\u{85}FORGED\u{2028}FORGED\u{1b}[31m\u{202e}";
    let names: Vec<String> = (0..1000).map(|class| format!("{class}{odd}")).collect();
    let names = folder.write("names.txt", names.join("\n"));
    let (page, json) = (folder.join("page.html"), folder.join("r.json"));
    let more = words(&[
        &"--classnames",
        &names,
        &"--report",
        &page,
        &"--json",
        &json,
    ]);
    sound(&run(&[&evaluate[..], &model, &more].concat()).ended_with(0));
    sound_text(&std::fs::read_to_string(&page).unwrap());

    // Every text of a result, one after the other, as merge and compare read it.
    let report = value(&json);
    let mut places = Vec::new();
    texts(&report, String::new(), &mut places);
    assert!(places.len() > 20, "{places:?}");
    for place in places {
        let mut changed = report.clone();
        *changed.pointer_mut(&place).unwrap() = json!(FORGED);
        let file = folder.write("changed.json", changed.to_string());
        sound(&run(&words(&[&"compare", &json, &file])));
        sound(&run(&words(&[&"compare", &file, &file])));
        changed["settings"]["shard"] = json!({"index": 1, "of": 1});
        let file = folder.write("changed.json", changed.to_string());
        sound(&run(&words(&[&"merge", &file])));
    }

    // A model's description, a sweep's file, and what is in a checkpoint.
    let description = json!({
        "name": FORGED, "image_size": 64, "patch_size": 8, "width": 96, "depth": 4, "heads": 4,
        "mlp_hidden": 256, "embedding": 64, "text": {"width": 32, "depth": 2, "heads": 2},
    });
    let described = folder.write("described.json", description.to_string());
    let model = words(&[&"--model", &described, &"--ckpt-path", &checkpoint]);
    sound(&run(&[&evaluate[..], &model].concat()));
    sound(&run(&words(&[
        &"inspect",
        &checkpoint,
        &"--model",
        &described,
    ])));
    let toml = |key: &str| format!("{key:?} = {}\n", json!(FORGED));
    for key in [
        "imagenet-path",
        "model",
        "ckpt-path",
        "templates",
        "x",
        FORGED,
    ] {
        let text = toml(key).replace("\\u{", "\\u").replace('}', "");
        let sweep = folder.write("sweep.toml", text);
        sound(&run(&words(&[&"sweep", &sweep])));
    }
    for key in [FORGED, "a\u{2028}b"] {
        let header = json!({key: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
            "__metadata__": {FORGED: FORGED}});
        let header = header.to_string();
        let bytes = [
            &(header.len() as u64).to_le_bytes()[..],
            header.as_bytes(),
            &[0; 4],
        ]
        .concat();
        let file = folder.write("odd.safetensors", bytes);
        sound(&run(&words(&[&"inspect", &file])));
        sound(&run(&words(&[&"inspect", &file, &"--model", &"uta_demo"])));
        sound(&run(
            &[&evaluate[..], &words(&[&"--ckpt-path", &file])].concat()
        ));
    }

    // Members of archives, and label files.
    let mut archive = tar::Builder::new(Vec::new());
    for name in [format!("n01440764/{FORGED}.jpg"), format!("{FORGED}/b.jpg")] {
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        archive
            .append_data(&mut header, name, &b"none"[..])
            .unwrap();
    }
    let archive = folder.write("set.tar", archive.into_inner().unwrap());
    let labels = folder.write(
        "labels.csv",
        format!("filename,label\n\"{FORGED}.jpg\",\"{FORGED}\"\n"),
    );
    sound(&run(&words(&[&"data", &"check", &archive])));
    let flat = set.join("n01440764");
    sound(&run(&words(&[
        &"data",
        &"check",
        &flat,
        &"--labels",
        &labels,
    ])));
}

#[test]
fn no_answer_of_a_server_forges_a_line() {
    use std::io::{BufRead, BufReader, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let _ = lines
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
                .count();
            let files = [1, 2].map(|n| json!({"rfilename": format!("{FORGED}{n}.safetensors")}));
            let body = json!({"sha": "0123", "siblings": files}).to_string();
            let length = body.len();
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
            );
        }
    });
    let home = Folder::new();
    let variables = [
        ("HF_HOME", home.path().to_str().unwrap()),
        ("HF_ENDPOINT", &endpoint),
    ];
    for address in ["UTA-g-pix336", "hf://someone/MODEL"] {
        let ran = run_with(&["inspect", address], &variables).ended_with(4);
        sound(&ran.warned(&["x\\nFORGED"]));
    }
    let file = format!("hf://someone/MODEL/{FORGED}.safetensors");
    sound(&run_with(&["inspect", &file], &variables).ended_with(4));
}

/// The places of all texts in a document.
fn texts(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::String(_) => places.push(place),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate().take(2) {
                texts(value, format!("{place}/{index}"), places);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                texts(value, format!("{place}/{name}"), places);
            }
        }
        _ => {}
    }
}
