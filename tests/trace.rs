use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::support::{Folder, demo, demo_on, quick_demo_on, run};

/// What a trace holds.
struct Trace {
    /// Events by thread, in order.
    threads: BTreeMap<u64, Vec<Value>>,
    names: BTreeMap<u64, String>,
}

impl Trace {
    /// Reads a trace. Checks that spans of a thread follow each other in time and lie within each
    /// other.
    #[track_caller]
    fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).unwrap();
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        let (mut threads, mut names) = (BTreeMap::<_, Vec<Value>>::new(), BTreeMap::new());
        for event in events {
            let thread = event["tid"].as_u64().unwrap();
            match event["ph"].as_str().unwrap() {
                "M" => {
                    let name = event["args"]["name"].as_str().unwrap();
                    names.insert(thread, name.to_string());
                }
                "B" | "E" => threads.entry(thread).or_default().push(event),
                other => panic!("an event of kind {other}"),
            }
        }
        for events in threads.values() {
            let mut open = Vec::new();
            let mut last = 0.0;
            for event in events {
                let time = event["ts"].as_f64().unwrap();
                assert!(time >= last);
                last = time;
                match event["ph"].as_str() {
                    Some("B") => open.push(&event["name"]),
                    _ => assert_eq!(open.pop(), Some(&event["name"])),
                }
            }
        }
        Self { threads, names }
    }

    /// Spans of this name that were ended.
    fn ended(&self, name: &str) -> Vec<&Value> {
        let events = self.threads.values().flatten();
        events
            .filter(|event| event["ph"] == "E" && event["name"] == name)
            .collect()
    }

    fn begun(&self, name: &str) -> Vec<&Value> {
        let events = self.threads.values().flatten();
        events
            .filter(|event| event["ph"] == "B" && event["name"] == name)
            .collect()
    }

    #[track_caller]
    fn has(&self, names: &[&str]) {
        for name in names {
            assert!(!self.begun(name).is_empty(), "no span \"{name}\"");
        }
    }
}

fn with(mut arguments: Vec<String>, more: &[&str]) -> Vec<String> {
    arguments.extend(more.iter().map(ToString::to_string));
    arguments
}

fn start(arguments: &[String]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_uta-eval"))
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until `begun` holds, and interrupts the program.
#[cfg(unix)]
fn interrupt_when(mut child: Child, begun: impl Fn() -> bool) {
    while !begun() {
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended before it could be interrupted");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let id = child.id().to_string();
    let kill = Command::new("kill")
        .args([crate::support::interrupt_signal(), &id])
        .status()
        .unwrap();
    assert!(kill.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_trace_shows_what_each_thread_did_and_changes_no_result() {
    let folder = Folder::new();
    let evaluate = |name: &str, more: &[&str]| {
        let predictions = folder.join(name);
        let arguments = quick_demo_on(&demo("imagenet"), &folder);
        let path = predictions.to_str().unwrap();
        let more = [&["--workers", "2", "--predictions", path], more].concat();
        run(&with(arguments, &more)).ended_with(0);
        std::fs::read_to_string(predictions).unwrap()
    };
    let file = folder.join("trace.json");
    let html = folder.join("page.html");
    let (path, html) = (file.to_str().unwrap(), html.to_str().unwrap());
    let traced = evaluate("a.csv", &["--trace", path, "--report", html]);
    assert_eq!(traced, evaluate("b.csv", &[]));

    let trace = Trace::read(&file);
    trace.has(&[
        "find the pictures",
        "open the checkpoint",
        "SHA-256 of the checkpoint",
        "fingerprint of the text tower",
        "load the vision tower",
        "get the classifier",
        "load the text tower",
        "encode prompts",
        "wait for pictures",
        "predict",
        "vision tower",
        "rank",
        "count",
        "write the page",
    ]);
    // One for each picture, by the workers, of which there are two.
    assert_eq!(trace.ended("load").len(), 220);
    // The page reads some again.
    for name in ["read", "decode and crop"] {
        assert!(trace.ended(name).len() >= 220, "{name}");
    }
    let pictures: BTreeSet<_> = trace
        .begun("load")
        .iter()
        .map(|event| event["args"]["picture"].to_string())
        .collect();
    assert_eq!(pictures.len(), 220);
    let workers: BTreeSet<&str> = trace
        .begun("load")
        .iter()
        .map(|event| trace.names[&event["tid"].as_u64().unwrap()].as_str())
        .collect();
    assert_eq!(workers, ["loader-0", "loader-1"].into());
    let predicted = trace.begun("predict");
    let predicted = predicted
        .iter()
        .map(|event| event["args"]["pictures"].as_str());
    let predicted: u64 = predicted.map(|n| n.unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(predicted, 220);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_leaves_a_whole_trace_of_what_it_did() {
    // While pictures are evaluated.
    let folder = Folder::new();
    let (file, journal) = (folder.join("trace.json"), folder.join("journal"));
    let arguments = quick_demo_on(&demo("imagenet"), &folder);
    let (path, kept) = (file.to_str().unwrap(), journal.to_str().unwrap());
    let more = ["--batch-size", "1", "--trace", path, "--resume", kept];
    let lines = || std::fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    interrupt_when(start(&with(arguments, &more)), || lines() > 5);
    let trace = Trace::read(&file);
    let counted = trace.ended("append to the journal").len();
    assert!((3..220).contains(&counted), "{counted}");

    // While the classifier is built, where the program ends at once.
    let folder = Folder::new();
    let file = folder.join("trace.json");
    let arguments = with(
        demo_on(&demo("imagenet")),
        &["--trace", file.to_str().unwrap(), "--verbose"],
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_uta-eval"))
        .args(&arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(told.any(|line| line.unwrap().starts_with("building the classifier")));
    interrupt_when(child, || true);
    Trace::read(&file);
    assert_eq!(folder.names(), ["trace.json"]);
}

#[test]
fn a_run_that_fails_leaves_a_trace_too() {
    let folder = Folder::new();
    let file = folder.join("trace.json");
    let path = file.to_str().unwrap();
    let checkpoint = folder.write("junk.safetensors", "junk");
    let (checkpoint, pictures) = (checkpoint.to_str().unwrap(), demo("imagenet"));
    let flags = [
        "--model",
        "uta_demo",
        "--ckpt-path",
        checkpoint,
        "--imagenet-path",
    ];
    let arguments = with(
        flags.map(String::from).to_vec(),
        &[pictures.to_str().unwrap(), "--trace", path],
    );
    run(&arguments).ended_with(4);
    Trace::read(&file).has(&["open the checkpoint"]);
}

#[test]
fn sweeps_and_classifiers_can_be_traced() {
    let folder = Folder::new();
    // In a folder that the sweep makes.
    let file = folder.join("new/trace.json");
    let path = file.to_str().unwrap();
    let checkpoint = demo("uta_demo.safetensors");
    let copy = folder.copy(&checkpoint, "copy.safetensors");
    let out = folder.join("new");
    let more = [
        copy.to_str().unwrap(),
        "--trace",
        path,
        "--limit",
        "4",
        "--out",
        out.to_str().unwrap(),
    ];
    let arguments = quick_demo_on(&demo("imagenet"), &folder);
    let more = [&["--ckpt-path", checkpoint.to_str().unwrap()], &more[..]].concat();
    let at = arguments.iter().position(|a| a == "--ckpt-path").unwrap();
    let without: Vec<String> = [&arguments[..at], &arguments[at + 2..]].concat();
    run(&with(without, &more)).ended_with(0);
    let trace = Trace::read(&file);
    assert_eq!(trace.ended("load").len(), 4);
    assert_eq!(trace.ended("predict").len(), 2);

    let out = folder.join("classifier.safetensors");
    let templates = folder.join("templates.txt");
    let arguments: Vec<PathBuf> = ["classifier", "--no-cache", "--model", "uta_demo"]
        .map(PathBuf::from)
        .to_vec();
    let more = [
        "--ckpt-path".into(),
        checkpoint,
        "--templates".into(),
        templates,
        "--out".into(),
        out.clone(),
        "--trace".into(),
    ];
    let arguments = [arguments, more.to_vec()].concat();
    let same = [arguments.clone(), vec![out]].concat();
    run(&same).ended_with(2).said(&["both name"]);
    run(&[arguments, vec![file.clone()]].concat()).ended_with(0);
    Trace::read(&file).has(&["encode prompts"]);
}

#[test]
fn a_trace_that_cannot_be_written_is_refused_before_the_work_and_replaces_nothing_else() {
    let folder = Folder::new();
    let evaluate = |more: &[&str]| run(&with(quick_demo_on(&demo("imagenet"), &folder), more));
    evaluate(&["--trace", "/nowhere/trace.json"])
        .ended_with(5)
        .said(&["/nowhere/trace.json"]);
    let file = folder.join("result.json");
    let path = file.to_str().unwrap();
    evaluate(&["--trace", path, "--json", path])
        .ended_with(2)
        .said(&["both name"]);
    let journal = folder.write("journal", "");
    let kept = journal.to_str().unwrap();
    evaluate(&["--trace", kept, "--resume", kept])
        .ended_with(2)
        .said(&["--trace and --resume both name"]);
    assert_eq!(folder.names(), ["journal", "templates.txt"]);
}
