//! Faults of the system pass; no journal keeps them as facts about pictures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::faults::run_with_faults;
use crate::support::{Folder, Ran, demo, quick_demo_on, run};

/// A picture that the faults befall.
const VICTIM: &str = "n02165456_003";

struct Case {
    folder: Folder,
    arguments: Vec<String>,
}

impl Case {
    /// An evaluation of one class of the demo's, in a folder of the test's own.
    fn new() -> Self {
        let folder = Folder::new();
        let class = demo("imagenet/val/n02165456");
        for picture in class.read_dir().unwrap() {
            let picture = picture.unwrap();
            let name = picture.file_name().into_string().unwrap();
            folder.copy(&picture.path(), &format!("set/n02165456/{name}"));
        }
        let mut arguments = quick_demo_on(&folder.join("set"), &folder);
        arguments.extend(["--batch-size", "2", "--json"].map(String::from));
        arguments.push(folder.join("result.json").to_str().unwrap().into());
        let case = Self { folder, arguments };
        assert!(case.victim().exists(), "{VICTIM} is no picture");
        case
    }

    fn victim(&self) -> PathBuf {
        let class = self.folder.join("set/n02165456");
        let mut files = class.read_dir().unwrap().map(|file| file.unwrap().path());
        files
            .find(|file| file.to_str().unwrap().contains(VICTIM))
            .unwrap()
    }

    fn resumed(mut self) -> Self {
        let journal = self.folder.join("journal");
        self.arguments
            .extend(["--resume".into(), journal.to_str().unwrap().into()]);
        self
    }

    fn run(&self, faults: &[(&str, &str)]) -> Ran {
        run_with_faults(&self.arguments, faults)
    }

    fn result(&self) -> Value {
        let text = std::fs::read_to_string(self.folder.join("result.json")).unwrap();
        serde_json::from_str(&text).unwrap()
    }

    fn journal(&self) -> String {
        std::fs::read_to_string(self.folder.join("journal")).unwrap()
    }
}

fn failing(errno: i32, times: usize) -> String {
    format!("{VICTIM}:{errno}:{times}")
}

#[test]
fn a_fault_that_passes_in_a_moment_is_never_seen() {
    let case = Case::new();
    case.run(&[]).ended_with(0);
    let judgements = case.result()["judgements"].clone();
    // ENOENT, EIO, ENOMEM, EACCES, EMFILE, ESTALE.
    for errno in [2, 5, 12, 13, 24, 116] {
        case.run(&[("FAULT_OPEN", &failing(errno, 2))])
            .ended_with(0);
        assert_eq!(case.result()["judgements"], judgements, "errno {errno}");
    }
}

#[test]
fn what_the_system_could_not_read_is_tried_again_by_the_next_run() {
    let whole = Case::new();
    whole.run(&[]).ended_with(0);
    let whole = whole.result();
    for errno in [2, 5, 13, 116] {
        let case = Case::new().resumed();
        case.run(&[("FAULT_OPEN", &failing(errno, 999))])
            .ended_with(6)
            .warned(&[VICTIM, "by the system's fault", "tries them again"]);
        assert_eq!(case.result()["unreadable"].as_array().unwrap().len(), 1);
        assert!(case.journal().contains("unavailable"));
        // Still so: the same end.
        case.run(&[("FAULT_OPEN", &failing(errno, 999))])
            .ended_with(6)
            .warned(&["1 of them could not be read by the system's fault, and is tried again"]);
        case.run(&[]).ended_with(0);
        for field in ["judgements", "top1", "top5", "per_class", "unreadable"] {
            assert_eq!(case.result()[field], whole[field], "errno {errno}");
        }
        // From now on it is known.
        let last = case
            .run(&[("FAULT_OPEN", &failing(errno, 999))])
            .ended_with(0);
        assert!(!last.stderr.contains("tried again"), "{}", last.stderr);
        assert_eq!(case.result()["judgements"], whole["judgements"]);
    }
}

#[test]
fn a_damaged_picture_stays_one() {
    let case = Case::new().resumed();
    std::fs::write(case.victim(), "").unwrap();
    for _ in 0..2 {
        case.run(&[]).ended_with(6);
        assert!(!case.journal().contains("unavailable"));
    }
}

#[test]
fn a_system_that_is_short_of_something_ends_the_run_and_the_next_goes_on() {
    let whole = Case::new();
    whole.run(&[]).ended_with(0);
    // EMFILE, ENOMEM.
    for errno in [24, 12] {
        let case = Case::new().resumed();
        case.run(&[("FAULT_OPEN", &failing(errno, 999))])
            .ended_with(7)
            .said(&[VICTIM, "no other either", "ulimit -n", "--resume"]);
        assert!(!case.journal().contains("unavailable"));
        case.run(&[]).ended_with(0);
        assert_eq!(case.result()["judgements"], whole.result()["judgements"]);
    }
}

#[test]
fn a_picture_that_changes_during_the_run_is_told_of() {
    let case = Case::new().resumed();
    let time = case.victim().metadata().unwrap().modified().unwrap();
    case.run(&[("FAULT_TOUCH", VICTIM)])
        .ended_with(0)
        .warned(&[VICTIM, "changed after it was listed"]);
    let result = case.result();
    let changed = result["changed"].as_array().unwrap();
    assert_eq!(changed.len(), 1);
    assert!(changed[0].as_str().unwrap().contains(VICTIM));
    let warnings = result["warnings"].to_string();
    assert!(
        warnings.contains("changed after it was listed"),
        "{warnings}"
    );
    // The journal is of the pictures that were listed. When they are back, they are looked at again.
    assert!(case.journal().contains("unavailable"));
    case.run(&[]).ended_with(2).said(&["pictures was"]);
    let file = std::fs::File::options().append(true).open(case.victim());
    file.unwrap().set_modified(time).unwrap();
    case.run(&[]).ended_with(0).warned(&["tried again"]);
    assert_eq!(case.result()["changed"], serde_json::json!([]));
    assert!(case.result()["unreadable"].as_array().unwrap().is_empty());
}

#[test]
fn a_journal_on_a_full_disk_takes_no_result_away() {
    let case = Case::new().resumed();
    run_with_faults(&case.arguments, &[("FAULT_WRITE", "journal:28")]).ended_with(5);
    let case = Case::new().resumed();
    case.run(&[]).ended_with(0);
    let whole = case.result();
    // Half a journal, on a disk that is full by now.
    let text = case.journal();
    let half: String = text.split_inclusive('\n').take(4).collect();
    std::fs::write(case.folder.join("journal"), &half).unwrap();
    std::fs::remove_file(case.folder.join("result.json")).unwrap();
    case.run(&[("FAULT_WRITE", "journal:28")])
        .ended_with(5)
        .printed(&["top-1"])
        .warned(&["goes on without it", "there is no space left"]);
    assert_eq!(case.result()["judgements"], whole["judgements"]);
    assert_eq!(case.journal(), half);
}

#[test]
fn a_result_that_a_journal_had_whole_has_no_rate() {
    let case = Case::new().resumed();
    let first = case.run(&[]).ended_with(0).printed(&["pictures/s"]);
    assert!(!first.stdout.contains("– pictures/s"));
    assert!(case.result()["pictures_per_second"].is_number());
    case.run(&[]).ended_with(0).printed(&["– pictures/s"]);
    assert!(case.result()["pictures_per_second"].is_null());
}

#[test]
fn a_clock_that_stands_still_makes_no_rate_infinite() {
    let case = Case::new();
    let ran = case.run(&[("FAULT_CLOCK", "still")]).ended_with(0);
    assert!(
        !ran.stdout.contains("inf") && !ran.stdout.contains("NaN"),
        "{}",
        ran.stdout
    );
    assert!(case.result()["pictures_per_second"].is_null());
}

/// Flags of a sweep over two checkpoints of the demo.
fn sweep(folder: &Folder, batch: &str) -> Vec<String> {
    let mut flags = quick_demo_on(&demo("imagenet"), folder);
    let at = flags.iter().position(|flag| flag == "--ckpt-path").unwrap();
    flags.drain(at..at + 2);
    for name in ["a.safetensors", "b.safetensors"] {
        folder.copy(
            &demo("uta_demo.safetensors"),
            &format!("checkpoints/{name}"),
        );
    }
    let path = |name: &str| folder.join(name).to_str().unwrap().to_string();
    flags.extend(["--ckpt-path".into(), path("checkpoints/*.safetensors")]);
    flags.extend([
        "--out".into(),
        path("out"),
        "--resume".into(),
        path("journal"),
    ]);
    flags.extend(["--batch-size".into(), batch.into()]);
    flags
}

#[test]
fn rows_of_a_sweep_that_a_journal_had_whole_have_no_rate() {
    let folder = Folder::new();
    let mut flags = sweep(&folder, "8");
    flags.extend(["--limit".into(), "8".into()]);
    run(&flags)
        .ended_with(0)
        .warned(&["8 pictures were decoded"]);
    let ran = run(&flags)
        .ended_with(0)
        .warned(&["0 pictures were decoded"]);
    for line in ran.stdout.lines().skip(1) {
        assert!(line.contains(" – "), "{line}");
    }
    let mut table = csv::Reader::from_path(folder.join("out/table.csv")).unwrap();
    let column = table
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "pictures_per_second");
    for row in table.records() {
        assert_eq!(&row.unwrap()[column.unwrap()], "");
    }
}

#[test]
fn an_interrupted_sweep_says_how_many_pictures_it_decoded() {
    let folder = Folder::new();
    let child = Command::new(env!("CARGO_BIN_EXE_uta-eval"))
        .args(sweep(&folder, "1"))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let journal = folder.join("journal");
    let entries = |path: &Path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.matches("{\"pictures\"").count()
    };
    while entries(&journal) < 6 {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let id = child.id().to_string();
    Command::new("kill")
        .args([crate::support::interrupt_signal(), &id])
        .status()
        .unwrap();
    let ended = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    let line = stderr
        .lines()
        .find(|line| line.contains("pictures were decoded"))
        .unwrap();
    let count: usize = line.split(' ').next().unwrap().parse().unwrap();
    assert!((1..220).contains(&count), "{line}");
}
