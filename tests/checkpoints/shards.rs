//! Checkpoints in several files, and folders as checkpoints.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uta_eval::checkpoint::{Checkpoint, CheckpointError};

use super::util::{safetensors_of, torch_tensor, values};

const INDEX: &str = "model.safetensors.index.json";

/// A folder with two files of tensors, and the list of them.
fn sharded() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    write(
        "a-1.safetensors",
        &safetensors_of(&[("module.x", &[1.0, 2.0])]),
    );
    write(
        "a-2.safetensors",
        &safetensors_of(&[("module.y", &[3.0]), ("module.z", &[4.0])]),
    );
    list(
        folder.path(),
        r#""module.x":"a-1.safetensors","module.y":"a-2.safetensors","module.z":"a-2.safetensors""#,
    );
    folder
}

fn list(folder: &Path, map: &str) {
    let index = format!(r#"{{"metadata":{{"total_size":16}},"weight_map":{{{map}}}}}"#);
    fs::write(folder.join(INDEX), index).unwrap();
}

#[test]
fn a_list_of_files_or_its_folder_stands_for_all_tensors() {
    let folder = sharded();
    for path in [folder.path().join(INDEX), folder.path().into()] {
        let file = Checkpoint::open(&path).unwrap();
        assert_eq!(file.path(), folder.path().join(INDEX));
        assert_eq!(file.stripped_prefix(), Some("module."));
        assert_eq!(file.described_format(), "safetensors in 2 files");
        assert_eq!(values(&file, "x"), [1.0, 2.0]);
        assert_eq!(values(&file, "y"), [3.0]);
        assert_eq!(values(&file, "z"), [4.0]);
        let shards = ["a-1.safetensors", "a-2.safetensors"];
        let bytes = shards.map(|name| fs::read(folder.path().join(name)).unwrap());
        assert_eq!(file.bytes(), bytes[0].len() + bytes[1].len());
        let hex = |bytes: &[u8]| -> String {
            let digest = Sha256::digest(bytes);
            digest.iter().map(|b| format!("{b:02x}")).collect()
        };
        let lines = [0, 1].map(|i| format!("{}  {}\n", hex(&bytes[i]), shards[i]));
        assert_eq!(file.sha256().unwrap(), hex(lines.concat().as_bytes()));
    }
}

#[test]
fn a_missing_shard_is_named() {
    let folder = sharded();
    fs::remove_file(folder.path().join("a-2.safetensors")).unwrap();
    let error = Checkpoint::open(folder.path()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("lists 2 files, of which one is missing: a-2.safetensors"),
        "{text}"
    );
    assert!(error.hint().is_some());
}

#[test]
fn a_list_and_files_that_differ_are_damaged() {
    let folder = sharded();
    list(
        folder.path(),
        r#""module.x":"a-1.safetensors","module.y":"a-1.safetensors","module.z":"a-2.safetensors""#,
    );
    let error = Checkpoint::open(folder.path()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("a-1.safetensors is damaged: it lacks the tensor module.y"),
        "{text}"
    );
    for away in ["../a.safetensors", "/etc/passwd", "a//b", "c\\\\d/.."] {
        list(folder.path(), &format!(r#""x":"{away}""#));
        let error = Checkpoint::open(folder.path()).unwrap_err();
        assert!(matches!(error, CheckpointError::Corrupt { .. }), "{error}");
    }
}

#[test]
fn a_folder_stands_for_the_weights_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, value: f32| {
        let file = safetensors_of(&[("a", &[value])]);
        fs::write(folder.path().join(name), file).unwrap();
    };
    let read = || values(&Checkpoint::open(folder.path()).unwrap(), "a");
    write("epoch_3.safetensors", 1.0);
    assert_eq!(read(), [1.0]);
    write("model.safetensors", 2.0);
    assert_eq!(read(), [2.0]);
    write("open_clip_model.safetensors", 3.0);
    assert_eq!(read(), [3.0]);
}

#[test]
fn pieces_of_distributed_checkpoints_are_refused_with_the_command_that_joins_them() {
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("step 3");
    fs::create_dir(&saved).unwrap();
    let piece = saved.join("__0_0.distcp");
    fs::write(
        &piece,
        &torch_tensor("FloatStorage", "2", "0", "2", "1")[..40],
    )
    .unwrap();
    fs::write(saved.join(".metadata"), b"\x80\x04.").unwrap();
    for path in [&saved, &piece, &saved.join(".metadata")] {
        let error = Checkpoint::open(path).unwrap_err();
        assert!(
            matches!(error, CheckpointError::Distributed { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("torch.distributed.checkpoint"));
        assert_eq!(
            error.hint().unwrap(),
            format!(
                "join them: python -m torch.distributed.checkpoint.format_utils dcp_to_torch '{}' joined.pt",
                saved.display()
            )
        );
    }
}
