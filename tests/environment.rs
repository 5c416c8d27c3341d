//! What befalls a run from outside must not take its result away.

use std::fs::File;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::support::{Folder, demo, quick_demo_on, run};

/// The program on two of the demo's classes, with a warning on standard error.
fn command(folder: &Folder) -> Command {
    let pictures = folder.join("set");
    if !pictures.exists() {
        let mut classes: Vec<_> = demo("imagenet/val").read_dir().unwrap().collect();
        classes.sort_by_key(|class| class.as_ref().unwrap().path());
        for class in classes.into_iter().take(2) {
            let class = class.unwrap();
            let name = class.file_name().into_string().unwrap();
            for picture in class.path().read_dir().unwrap() {
                let picture = picture.unwrap();
                let file = picture.file_name().into_string().unwrap();
                folder.copy(&picture.path(), &format!("set/{name}/{file}"));
            }
        }
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_uta-eval"));
    command.args(quick_demo_on(&pictures, folder));
    command
}

/// The same as words for a shell.
fn words(folder: &Folder) -> String {
    let program = command(folder);
    let words: Vec<String> = std::iter::once(program.get_program())
        .chain(program.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    words.join(" ")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn a_log_that_cannot_be_written_takes_no_result_away() {
    let folder = Folder::new();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let ended = command(&folder).stderr(full).output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(text(&ended.stdout).contains("top-1"));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = command(&folder).stderr(writer).output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert!(text(&ended.stdout).contains("top-1"));
}

#[test]
fn an_error_ends_in_its_own_code_also_when_nobody_can_read_it() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_uta-eval"));
    let command = command.args(["inspect", "/nonexistent.pt"]).stderr(full);
    assert_eq!(command.status().unwrap().code(), Some(4));
}

/// A result that was printed although one of its files could not be written.
#[track_caller]
fn printed_with_code_5(ended: &Output, hint: &str) {
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(5), "{stderr}");
    assert!(stdout.contains("top-1"), "{stdout}");
    assert!(stderr.contains(hint), "{stderr}");
}

#[test]
fn a_full_disk_takes_neither_the_summary_nor_the_other_files_away() {
    let folder = Folder::new();
    let whole = folder.join("whole.html");
    for flag in ["--json", "--report"] {
        let other = if flag == "--json" {
            "--report"
        } else {
            "--json"
        };
        let mut command = command(&folder);
        command.args([flag, "/dev/full", other]).arg(&whole);
        printed_with_code_5(&command.output().unwrap(), "there is no space left");
        assert!(whole.metadata().unwrap().len() > 1000);
        std::fs::remove_file(&whole).unwrap();
    }
}

#[test]
fn a_limit_on_the_size_of_files_is_met_without_losing_the_result() {
    let folder = Folder::new();
    let words = words(&folder);
    for (flag, file) in [
        ("--predictions", "p.csv"),
        ("--save-features", "f.safetensors"),
        ("--json", "r.json"),
    ] {
        let out = folder.join(file);
        // Blocks of 512 bytes.
        let script = format!("ulimit -f 4; exec {words} {flag} '{}'", out.display());
        let ended = Command::new("sh").args(["-c", &script]).output().unwrap();
        printed_with_code_5(&ended, "ulimit -f");
        assert!(!out.exists(), "{flag}");
    }
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let folder = Folder::new();
    let words = words(&folder);
    for (ignored, code) in [("trap '' HUP;", Some(0)), ("", Some(130))] {
        let script = format!("{ignored} exec {words}");
        let mut child = Command::new("sh")
            .args(["-c", &script])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Again and again, until one has met the running program.
        let hang_up = || {
            let id = child.id().to_string();
            Command::new("kill").args(["-HUP", &id]).status().unwrap();
        };
        std::thread::sleep(Duration::from_millis(30));
        hang_up();
        let ended = child.wait().unwrap();
        let killed = ended.code().is_none();
        assert!(
            ended.code() == code || (killed && code != Some(0)),
            "{ended}"
        );
    }
}

#[test]
fn results_come_before_the_files_that_fail() {
    let folder = Folder::new();
    let mut arguments: Vec<String> = command(&folder)
        .get_args()
        .map(|argument| argument.to_str().unwrap().into())
        .collect();
    arguments.extend(["--json", "/dev/full"].map(Into::into));
    run(&arguments)
        .ended_with(5)
        .printed(&["top-1"])
        .warned(&["/dev/full cannot be written", "there is no space left"]);
}
