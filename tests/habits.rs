use std::path::Path;

use crate::support::{Folder, demo, quick_demo_on, run, run_with};

/// A run that has something to warn of.
fn part_of_imagenet(folder: &Folder, flag: &str) -> Vec<String> {
    let class = demo("imagenet/val").read_dir().unwrap();
    let class = class.map(|entry| entry.unwrap().path()).min().unwrap();
    let picture = class.read_dir().unwrap().next().unwrap().unwrap().path();
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    folder.copy(
        &picture,
        &format!("set/{}/{}", name(&class), name(&picture)),
    );
    let mut arguments = quick_demo_on(&folder.join("set"), folder);
    arguments.push(flag.into());
    arguments
}

#[test]
fn every_shell_gets_a_completion_script_with_subcommands_and_flags() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]).ended_with(0);
        assert_eq!(script.stderr, "");
        script.printed(&["uta-eval", "inspect", "imagenet-path"]);
    }
    run(&["completions", "cmd"]).ended_with(2).said(&["bash"]);
}

#[test]
fn the_manual_page_has_every_subcommand_and_the_exit_codes() {
    let page = run(&["man"]).ended_with(0);
    assert_eq!(page.stderr, "");
    let page = page.printed(&[
        ".TH uta-eval 1",
        ".SH \"UTA-EVAL CLASSIFY\"",
        "\\-\\-imagenet\\-path",
        "\\-\\-labels",
        "Exit codes",
    ]);
    assert!(!page.stdout.contains("UTA-EVAL HELP"));
}

#[test]
fn quiet_silences_warnings_and_keeps_them_in_the_result() {
    let folder = Folder::new();
    let quiet = run(&part_of_imagenet(&folder, "--quiet")).ended_with(0);
    assert_eq!(quiet.stderr, "");
    quiet.printed(&["top-1"]);
    let mut arguments = part_of_imagenet(&folder, "-q");
    arguments.extend(["--json".into(), "-".into()]);
    run(&arguments)
        .ended_with(0)
        .printed(&["it is ranked among all"]);
}

#[test]
fn quiet_keeps_errors() {
    run(&["inspect", "--quiet", "/nonexistent.safetensors"])
        .ended_with(4)
        .said(&["error: /nonexistent.safetensors does not exist", "hint: "]);
}

#[test]
fn verbose_tells_each_stage_and_its_time_without_a_terminal() {
    let folder = Folder::new();
    run(&part_of_imagenet(&folder, "-v"))
        .ended_with(0)
        .warned(&[
            "warning: ",
            "loading the checkpoint …",
            "building the classifier: ",
            "evaluating the pictures: ",
            " s\n",
            "products in f32 by ",
        ]);
    let mut in_bf16 = part_of_imagenet(&folder, "-v");
    in_bf16.extend(["--precision".into(), "bf16".into()]);
    // What is chosen is what was the fastest.
    let ran = run(&in_bf16).ended_with(0);
    let told = ran
        .stderr
        .lines()
        .find(|line| line.contains("in a trial: "));
    let (chosen, rates) = told
        .unwrap()
        .split_once("; GFLOP/s of one thread in a trial: ")
        .unwrap();
    let chosen = chosen.strip_prefix("products in bf16 by ").unwrap();
    let fastest = rates.split(", ").next().unwrap();
    assert!(
        fastest.ends_with(&format!(" by {chosen}")),
        "{}",
        ran.stderr
    );
    run(&["man", "--quiet", "--verbose"])
        .ended_with(2)
        .said(&["cannot be used with"]);
}

#[test]
fn no_color_wins_over_forced_colours() {
    let escapes = |variables: &[(&str, &str)]| {
        let ran = run_with(&["--no-such-flag"], variables).ended_with(2);
        ran.stderr.contains('\u{1b}')
    };
    assert!(escapes(&[("CLICOLOR_FORCE", "1")]));
    assert!(!escapes(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(!escapes(&[]));
}

#[cfg(unix)]
#[test]
fn a_file_name_cannot_command_the_terminal() {
    let folder = Folder::new();
    let path = folder.copy(&demo("uta_demo.safetensors"), "a\u{1b}[31m.safetensors");
    let path = path.to_str().unwrap();
    let missing = path.replace("31m", "32m");
    let told = run(&["inspect", path]).ended_with(0);
    assert!(!told.stdout.contains('\u{1b}'));
    told.printed(&["a\\u{1b}[31m.safetensors"]);
    let told = run(&["inspect", &missing]).ended_with(4);
    assert!(!told.stderr.contains('\u{1b}'));
    told.said(&["a\\u{1b}[32m.safetensors does not exist"]);
}

#[test]
fn alone_it_says_how_to_begin() {
    let none: [&str; 0] = [];
    run(&none)
        .ended_with(2)
        .said(&["uta-eval demo", "--imagenet-path", "--help"]);
}

#[test]
fn help_has_groups_and_three_examples_in_each_form() {
    for flag in ["-h", "--help"] {
        let help = run(&[flag]).ended_with(0);
        for group in [
            "Pictures:",
            "Model:",
            "Prompts and classifier:",
            "Expectations:",
            "Computing:",
            "Results:",
            "Examples:",
        ] {
            assert!(help.stdout.contains(&format!("\n{group}\n")), "{group}");
        }
        let examples = help.stdout.split("Examples:").nth(1).unwrap();
        let lines = examples
            .lines()
            .filter(|line| line.starts_with("  uta-eval"));
        assert_eq!(lines.count(), 3);
    }
}

#[test]
fn the_manual_page_refers_to_no_page_that_does_not_exist() {
    let page = run(&["man"]).ended_with(0);
    assert!(page.stdout.contains("Examples:"));
    for line in page.stdout.lines() {
        assert!(!line.ends_with("(1)"), "{line}");
    }
}

#[test]
fn completions_offer_the_values_of_flags() {
    let values = [
        "UTA-B",
        "eva_base_p16",
        "ViT-B-32-quickgelu",
        "laion2b_s34b_b79k",
        "bf16",
        "cuda",
        "imagenet-sketch",
        "webdataset",
        "open-clip-timm",
    ];
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = run(&["completions", shell]).ended_with(0);
        // Two shells are only given subcommands and flags by the library.
        let values = match shell {
            "elvish" | "powershell" => &[][..],
            _ => &values,
        };
        script.printed(values);
    }
    // What is offered is no limit.
    run(&["inspect", "/no/such", "--model", "/no/such.json"])
        .ended_with(2)
        .said(&["/no/such.json cannot be read"]);
}

#[test]
fn the_manual_page_has_commands_inside_commands() {
    let page = run(&["man"]).ended_with(0);
    page.printed(&[".SH \"UTA-EVAL DATA CHECK\"", "\\-\\-full"]);
}

#[test]
fn a_mistyped_model_is_recognised() {
    for (name, meant) in [
        ("uta-demo", "did you mean uta_demo?"),
        ("UTA_B", "did you mean UTA-B?"),
        ("ViT-B16", "did you mean ViT-B-16?"),
    ] {
        let checkpoint = demo("uta_demo.safetensors");
        let checkpoint = checkpoint.to_str().unwrap();
        let arguments = [
            "--imagenet-path",
            "x",
            "--ckpt-path",
            checkpoint,
            "--model",
            name,
        ];
        run(&arguments)
            .ended_with(2)
            .said(&["unknown model", meant, "uta-eval models"]);
    }
    let pictures = demo("imagenet");
    let pictures = pictures.to_str().unwrap();
    run(&["--imagenet-path", pictures, "--ckpt-path", "UTA_B"])
        .ended_with(4)
        .said(&["UTA_B does not exist", "did you mean UTA-B?"]);
    let arguments = "--imagenet-path x --model ViT-B-32 --pretrained opeani";
    let arguments: Vec<&str> = arguments.split(' ').collect();
    run(&arguments)
        .ended_with(2)
        .said(&["did you mean openai?", "its tags are"]);
}

#[test]
fn a_mistyped_command_is_recognised() {
    for (words, meant) in [
        (
            &["check", "/data"][..],
            "did you mean 'uta-eval data check'?",
        ),
        (&["clasify"], "'classify'"),
        (&["evaluate"], "did you mean 'uta-eval --imagenet-path DIR"),
        (&["list"], "did you mean 'uta-eval models'?"),
        (
            &["/data/imagenet"],
            "did you mean 'uta-eval --imagenet-path /data/imagenet ",
        ),
        (&["--imagnet-path", "x"], "'--imagenet-path'"),
        (
            &["--imagenet-path", "x", "--dataset", "imagenet_a"],
            "'imagenet-a'",
        ),
    ] {
        run(words).ended_with(2).said(&[meant]);
    }
}
