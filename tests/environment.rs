//! What befalls a run from outside must not take its result away.

use std::fs::File;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::faults::{command_with_faults, run_with_faults};
use crate::support::{Folder, demo, ending_signals, quick_demo_on, run};

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
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_uta-eval"));
    let command = command.arg("--no-such-flag").stderr(full);
    assert_eq!(command.status().unwrap().code(), Some(2));
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
    let heeded = ending_signals().contains(&"-HUP");
    let without = heeded.then_some(("", Some(130)));
    for (ignored, code) in [("trap '' HUP;", Some(0))].into_iter().chain(without) {
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

/// Waits until something is so; the test ends in time if it never is.
#[track_caller]
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let clock = std::time::Instant::now();
    while !is_so() {
        assert!(clock.elapsed().as_secs() < 120, "it never came to be");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A conversion in a folder of its own, which takes its time to write there.
struct Conversion {
    folder: Folder,
    child: std::process::Child,
}

impl Conversion {
    fn start(faults: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let name = folder
            .path()
            .file_name()
            .unwrap()
            .to_str()
            .unwrap()
            .to_string();
        let arguments = [
            "convert".into(),
            demo("uta_demo.safetensors"),
            folder.join("out.safetensors"),
        ];
        // Opening a file without a name there fails, if it is to.
        let (slow, open) = (format!("{name}:20"), format!("{name}:95:1"));
        let own = [("FAULT_SLOW", slow.as_str()), ("FAULT_OPEN", open.as_str())];
        let own = own
            .iter()
            .filter(|(name, _)| faults.iter().any(|(asked, _)| asked == name));
        let mut command = command_with_faults(&arguments, &own.copied().collect::<Vec<_>>());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap();
        Self { folder, child }
    }

    fn signal(&mut self, signal: &str) -> Option<i32> {
        let id = self.child.id().to_string();
        Command::new("kill").args([signal, &id]).status().unwrap();
        self.child.wait().unwrap().code()
    }

    /// Whether the process writes to a file in the folder, named or not.
    fn writes(&self) -> bool {
        let files = format!("/proc/{}/fd", self.child.id());
        let links = std::fs::read_dir(files).into_iter().flatten().flatten();
        let mut targets = links.filter_map(|link| link.path().read_link().ok());
        targets.any(|target| target.starts_with(self.folder.path()))
    }
}

#[test]
fn a_conversion_that_is_ended_leaves_nothing() {
    for signal in ending_signals() {
        let faults = [("FAULT_SLOW", ""), ("FAULT_OPEN", "")];
        let mut conversion = Conversion::start(&faults);
        wait_until(|| !conversion.folder.names().is_empty());
        assert!(conversion.folder.names()[0].starts_with(".uta-eval-"));
        assert_eq!(conversion.signal(signal), Some(130));
        assert!(conversion.folder.names().is_empty());
    }
    // Without a name, where the file system permits, so that no kill leaves it.
    let mut conversion = Conversion::start(&[("FAULT_SLOW", "")]);
    wait_until(|| conversion.writes());
    assert_eq!(conversion.signal("-KILL"), None);
    assert!(conversion.folder.names().is_empty());
}

/// Makes a file or folder look as if it were written yesterday.
fn age(path: &std::path::Path) {
    let yesterday = std::time::SystemTime::now() - Duration::from_secs(86_400);
    File::open(path).unwrap().set_modified(yesterday).unwrap();
}

#[test]
fn what_a_killed_conversion_left_the_next_one_removes() {
    let mut conversion = Conversion::start(&[("FAULT_SLOW", ""), ("FAULT_OPEN", "")]);
    wait_until(|| !conversion.folder.names().is_empty());
    assert_eq!(conversion.signal("-KILL"), None);
    let folder = &conversion.folder;
    let left = folder.names();
    assert_eq!(left.len(), 1);
    age(&folder.join(&left[0]));
    let out = folder.join("out.safetensors");
    let input = demo("uta_demo.safetensors");
    run(&["convert".as_ref(), input.as_path(), out.as_path()]).ended_with(0);
    assert_eq!(folder.names(), ["out.safetensors"]);
}

#[test]
fn a_demo_that_is_killed_leaves_nothing_for_long() {
    let folder = Folder::new();
    let variables = [("TMPDIR", folder.path().to_str().unwrap())];
    let start = || {
        let mut command = command_with_faults(&["demo"], &variables);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    };
    let mut child = start();
    wait_until(|| !folder.names().is_empty());
    child.kill().unwrap();
    child.wait().unwrap();
    let left = folder.names();
    assert_eq!(left.len(), 1);
    age(&folder.join(&left[0]));
    // The next one removes it, and itself when it is asked to end, soon or later.
    for signals in [1, 2] {
        let mut child = start();
        wait_until(|| folder.names().first().is_some_and(|name| *name != left[0]));
        for _ in 0..signals {
            Command::new("kill")
                .args(["-TERM", &child.id().to_string()])
                .status()
                .unwrap();
        }
        child.wait().unwrap();
        assert_eq!(folder.names(), [""; 0]);
    }
}

#[test]
fn full_disks_are_named_wherever_something_is_written() {
    let folder = Folder::new();
    let space = "there is no space left";
    run_with_faults(&["demo"], &[("FAULT_WRITE", "uta-eval-demo:28")])
        .ended_with(7)
        .said(&["cannot be unpacked into", space, "TMPDIR"]);
    let input = demo("uta_demo.safetensors");
    let out = folder.join("full.safetensors");
    let full = [(
        "FAULT_WRITE",
        folder.path().file_name().unwrap().to_str().unwrap(),
    )];
    let full = [(full[0].0, &*format!("{}:28", full[0].1))];
    run_with_faults(&["convert".as_ref(), input.as_path(), out.as_path()], &full)
        .ended_with(5)
        .said(&["full.safetensors cannot be written", space]);
    let checkpoint = input.to_str().unwrap();
    let model = ["--model", "uta_demo", "--ckpt-path", checkpoint];
    let templates = folder.write("t.txt", "{}\n");
    // EDQUOT.
    let quota = full[0].1.replace(":28", ":122");
    let other = Folder::new();
    let mut arguments = quick_demo_on(&demo("imagenet"), &other);
    let json = folder.join("r.json").to_str().unwrap().to_string();
    arguments.extend(["--limit".into(), "2".into(), "--json".into(), json]);
    run_with_faults(&arguments, &[("FAULT_WRITE", &quota)])
        .ended_with(5)
        .printed(&["top-1"])
        .warned(&["r.json cannot be written", space]);
    let build = [
        "classifier",
        "--no-cache",
        "--templates",
        templates.to_str().unwrap(),
    ];
    let build = [&build[..], &model, &["--out", out.to_str().unwrap()]].concat();
    run_with_faults(&build, &full)
        .ended_with(5)
        .said(&["full.safetensors cannot be written", space]);
    assert_eq!(folder.names(), ["t.txt"]);
}

#[test]
fn a_sweep_keeps_the_figures_that_a_full_disk_has_no_place_for() {
    let folder = Folder::new();
    let mut arguments: Vec<String> = command(&folder)
        .get_args()
        .map(|argument| argument.to_str().unwrap().into())
        .collect();
    arguments.extend(["--out".into(), folder.join("out").to_str().unwrap().into()]);
    // The size of the tables is within it, that of the result is not.
    let words: Vec<String> = arguments.iter().map(|word| format!("'{word}'")).collect();
    let program = env!("CARGO_BIN_EXE_uta-eval");
    let script = format!("ulimit -f 4; exec '{program}' {}", words.join(" "));
    let ended = Command::new("sh").args(["-c", &script]).output().unwrap();
    let (stdout, stderr) = (text(&ended.stdout), text(&ended.stderr));
    assert_eq!(ended.status.code(), Some(5), "{stderr}");
    let row = stdout.lines().nth(1).unwrap();
    assert!(
        row.contains("uta_demo") && !row.contains("failed"),
        "{stdout}"
    );
    assert!(stderr.contains("ulimit -f"), "{stderr}");
    assert!(folder.join("out/table.csv").exists());
}

#[test]
fn what_is_no_regular_file_is_never_read_whole() {
    let folder = Folder::new();
    let pipe = folder.join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let base: Vec<String> = command(&folder)
        .get_args()
        // It has no say with --classifier.
        .filter(|argument| *argument != "--no-cache")
        .map(|argument| argument.to_str().unwrap().into())
        .collect();
    let place = |flag: &str| base.iter().position(|word| word == flag).map(|at| at + 1);
    for (path, kind) in [
        (pipe.as_path(), "it is a pipe"),
        ("/dev/zero".as_ref(), "it is a device"),
        (folder.path(), "it is a folder"),
    ] {
        let file = path.to_str().unwrap();
        let with = |flag: &str| {
            let mut arguments = base.clone();
            match place(flag) {
                Some(at) => arguments[at] = file.into(),
                None => arguments.extend([flag.into(), file.into()]),
            }
            if flag == "--classifier"
                && let Some(at) = arguments.iter().position(|word| word == "--templates")
            {
                // It has no say there, either.
                arguments.drain(at..at + 2);
            }
            arguments
        };
        for flag in ["--resume", "--templates", "--classnames", "--classifier"] {
            let ran = run(&with(flag)).said(&[kind, "hint: "]);
            assert!([2, 5].contains(&ran.code), "{flag}: {}", ran.stderr);
        }
        for command in [
            &["merge", file][..],
            &["compare", file, file],
            &["sweep", file],
            &["--from-features", file],
            &[
                "inspect",
                demo("uta_demo.safetensors").to_str().unwrap(),
                "--model",
                file,
            ],
        ] {
            let ran = run(command).ended_with(2);
            // A folder may be a model's, with its description in it.
            assert!(
                ran.stderr.contains(kind) || command[0] == "inspect",
                "{}",
                ran.stderr
            );
        }
        assert_ne!(run(&["inspect", file]).code, 0);
        let labels = [
            "data",
            "check",
            demo("imagenet/val/n02165456").to_str().unwrap(),
            "--labels",
            file,
        ]
        .map(String::from);
        run(&labels).ended_with(3).said(&[kind]);
    }
}

#[test]
fn threads_that_cannot_be_started_are_an_error_like_any_other() {
    let folder = Folder::new();
    let mut arguments: Vec<String> = command(&folder)
        .get_args()
        .map(|argument| argument.to_str().unwrap().into())
        .collect();
    arguments.extend(["--workers".into(), "2".into()]);
    let (mut refused, mut ended) = (Vec::new(), 0);
    // One more thread each time, until there are enough.
    while ended == 0 {
        let most = refused.len().to_string();
        let faults = [("FAULT_THREADS", most.as_str()), ("RAYON_NUM_THREADS", "2")];
        let ran = run_with_faults(&arguments, &faults);
        if ran.code == 0 {
            ended = refused.len();
            ran.ended_with(0).printed(&["top-1"]);
        } else {
            let ran = ran
                .ended_with(7)
                .warned(&["cannot be started", "ulimit -u"]);
            refused.push(ran.stderr);
        }
        assert!(refused.len() < 60, "{refused:?}");
    }
    for what in ["the threads that compute", "the threads that read pictures"] {
        assert!(
            refused.iter().any(|error| error.contains(what)),
            "{refused:?}"
        );
    }
}

#[test]
fn a_panic_of_any_crate_is_told_as_a_defect() {
    // The standard library panics if the clock fails.
    let ran = run_with_faults(&["demo"], &[("FAULT_CLOCK", "broken")]);
    ran.ended_with(7)
        .said(&["error: a defect of the program: ", "hint: please report it"]);
}

#[test]
fn a_file_system_without_locks_is_gone_on_with() {
    let folder = Folder::new();
    let mut arguments: Vec<String> = command(&folder)
        .get_args()
        .map(|argument| argument.to_str().unwrap().into())
        .collect();
    arguments.extend([
        "--resume".into(),
        folder.join("journal").to_str().unwrap().into(),
    ]);
    // ENOLCK, ENOSYS, EOPNOTSUPP.
    for errno in ["37", "38", "95"] {
        run_with_faults(&arguments, &[("FAULT_LOCK", errno)])
            .ended_with(0)
            .printed(&["top-1"])
            .warned(&["journal cannot be locked", "no other process"]);
    }
    run_with_faults(&arguments, &[("FAULT_LOCK", "5")])
        .ended_with(5)
        .said(&["it cannot be locked"]);
}

#[test]
fn equal_inputs_give_equal_bytes_in_any_process() {
    let folder = Folder::new();
    let checkpoint = demo("uta_demo.safetensors");
    let checkpoint = checkpoint.to_str().unwrap();
    let templates = folder.write("t.txt", "a photo of a {}.\n");
    let out = folder.join("out.safetensors");
    let bytes = |arguments: &[&str]| {
        run(arguments).ended_with(0);
        let bytes = std::fs::read(&out).unwrap();
        std::fs::remove_file(&out).unwrap();
        bytes
    };
    let (file, templates) = (out.to_str().unwrap(), templates.to_str().unwrap());
    let model = ["--model", "uta_demo", "--ckpt-path", checkpoint];
    let build = [
        "classifier",
        "--no-cache",
        "--templates",
        templates,
        "--out",
        file,
    ];
    let build = [&build[..], &model].concat();
    let pictures = demo("imagenet");
    let features = [
        "--imagenet-path",
        pictures.to_str().unwrap(),
        "--limit",
        "3",
        "--no-cache",
        "--templates",
        templates,
        "--save-features",
        file,
    ];
    let features = [&features[..], &model].concat();
    for arguments in [&build[..], &features, &["convert", checkpoint, file]] {
        let first = bytes(arguments);
        // A hash map's order differs from process to process; once may be chance.
        for _ in 0..4 {
            assert!(bytes(arguments) == first, "{arguments:?}");
        }
    }
}
