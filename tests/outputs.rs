use std::path::{Path, PathBuf};

use crate::support::{Folder, Ran, demo, quick_demo_on, run};

/// Evaluates a few of the demo's pictures.
fn evaluate(folder: &Folder, more: &[&str]) -> Ran {
    let mut arguments = quick_demo_on(&demo("imagenet"), folder);
    arguments.extend(["--limit".into(), "3".into()]);
    arguments.extend(more.iter().map(ToString::to_string));
    run(&arguments)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn is_result(path: &Path) -> bool {
    let text = std::fs::read_to_string(path).unwrap();
    serde_json::from_str::<serde_json::Value>(&text).is_ok()
}

#[cfg(unix)]
fn link(folder: &Folder, target: &str, name: &str) -> PathBuf {
    let link = folder.join(name);
    std::os::unix::fs::symlink(target, &link).unwrap();
    link
}

#[cfg(unix)]
#[test]
fn links_stay_links_and_files_keep_their_mode() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    let real = folder.write("kept/result.json", "old");
    std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o640)).unwrap();
    let to_real = link(&folder, "kept/result.json", "a.json");
    let dangling = link(&folder, "kept/new.html", "b.html");
    evaluate(
        &folder,
        &["--json", text(&to_real), "--report", text(&dangling)],
    )
    .ended_with(0);
    for link in [&to_real, &dangling] {
        assert!(link.symlink_metadata().unwrap().is_symlink());
    }
    assert!(is_result(&real));
    let mode = real.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o640);
    assert!(folder.join("kept/new.html").exists());
}

#[cfg(target_os = "linux")]
#[test]
fn a_link_to_standard_output_is_standard_output_and_stays_a_link() {
    let folder = Folder::new();
    // As /dev/stdout is one.
    let stdout = link(&folder, "/proc/self/fd/1", "stdout");
    let file = std::fs::File::create(folder.join("shown")).unwrap();
    let mut arguments = quick_demo_on(&demo("imagenet"), &folder);
    arguments.extend(["--limit", "3", "--json", text(&stdout)].map(String::from));
    let status = std::process::Command::new(env!("CARGO_BIN_EXE_uta-eval"))
        .args(&arguments)
        .stdout(file)
        .status();
    assert!(status.unwrap().success());
    assert!(stdout.symlink_metadata().unwrap().is_symlink());
    assert!(is_result(&folder.join("shown")));
    // Two results in one stream would be none.
    evaluate(&folder, &["--json", "-", "--report", text(&stdout)])
        .ended_with(2)
        .said(&["--json and --report both name"]);
}

#[cfg(unix)]
#[test]
fn outputs_that_name_the_same_file_are_refused_however_they_are_spelled() {
    let folder = Folder::new();
    let (a, sub) = (folder.join("a.json"), folder.join("sub"));
    std::fs::create_dir(&sub).unwrap();
    let again = sub.join("../a.json");
    let linked = link(&folder, "a.json", "linked");
    let trace = |other: &Path| evaluate(&folder, &["--json", text(&a), "--trace", text(other)]);
    for other in [&a, &again, &linked] {
        trace(other)
            .ended_with(2)
            .said(&["--json and --trace both name"]);
    }
    evaluate(&folder, &["--report", text(&a), "--resume", text(&linked)])
        .ended_with(2)
        .said(&["--report and --resume both name", "also spelled"]);
    evaluate(&folder, &["--json", "/dev/null", "--report", "/dev/null"]).ended_with(0);
    let templates = folder.join("templates.txt");
    evaluate(&folder, &["--report", text(&templates)])
        .ended_with(2)
        .said(&["would replace an input"]);
}

#[cfg(target_os = "linux")]
#[test]
fn a_killed_run_leaves_no_unfinished_file() {
    let folder = Folder::new();
    let journal = folder.join("journal");
    let report = folder.join("report.html");
    let mut arguments = quick_demo_on(&demo("imagenet"), &folder);
    let more = ["--batch-size", "1", "--report", text(&report)];
    arguments.extend(more.map(String::from));
    arguments.extend(["--resume".into(), text(&journal).into()]);
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_uta-eval"))
        .args(&arguments)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    // Outputs are open when pictures arrive in the journal.
    let clock = std::time::Instant::now();
    while journal.metadata().map_or(0, |file| file.len()) < 1000 {
        assert!(clock.elapsed().as_secs() < 60);
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    if !report.exists() {
        assert_eq!(folder.names(), ["journal", "templates.txt"]);
    }
}
