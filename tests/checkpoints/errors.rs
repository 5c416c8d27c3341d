//! Files that are no checkpoints, and tensors that cannot be used, with message and hint.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Device};
use uta_eval::checkpoint::{Checkpoint, CheckpointError, Found, convert, load_with, verify};

use super::util::{
    TempFile, assert_refused, fixture, open, open_bytes, refused, safetensors, safetensors_of,
    torch, zip,
};

const GOOD: &str = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;

#[test]
fn a_missing_file_and_a_folder_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let error = Checkpoint::open(&folder.path().join("nothing.pt")).unwrap_err();
    assert!(error.to_string().contains("nothing.pt does not exist"));
    assert!(error.hint().unwrap().contains("--ckpt-path"));
    let inside_a_file = fixture("golden/tiny.pt").join("x.pt");
    let error = Checkpoint::open(&inside_a_file).unwrap_err();
    assert!(matches!(error, CheckpointError::NotFound { .. }), "{error}");
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(error.to_string().contains("is a folder"), "{error}");
    assert!(error.hint().unwrap().contains("inside it"));
    for name in ["a.pt", "b.pt", "c.txt"] {
        fs::write(folder.path().join(name), b"x").unwrap();
    }
    let error = Checkpoint::open(folder.path()).unwrap_err();
    assert!(error.to_string().ends_with("it has a.pt, b.pt"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_device_is_refused_without_reading_it() {
    let error = Checkpoint::open(Path::new("/dev/zero")).unwrap_err();
    assert!(error.to_string().contains("no regular file"), "{error}");
}

#[cfg(unix)]
#[test]
fn an_unreadable_file_says_permission_denied() {
    use std::os::unix::fs::PermissionsExt;
    let file = TempFile::new(b"secret");
    fs::set_permissions(&file.path, fs::Permissions::from_mode(0o000)).unwrap();
    let error = match fs::File::open(&file.path) {
        Err(_) => Checkpoint::open(&file.path).unwrap_err(),
        // The superuser may read everything, so only the wording is left to check.
        Ok(_) => CheckpointError::Unreadable {
            path: file.path.clone(),
            source: std::io::ErrorKind::PermissionDenied.into(),
        },
    };
    assert!(error.to_string().contains("cannot be read"), "{error}");
    let source = error.source().unwrap().to_string().to_lowercase();
    assert!(source.contains("permission denied"), "{source}");
    assert!(error.hint().unwrap().contains("chmod u+r"));
}

#[test]
fn a_file_that_is_cut_while_it_is_in_use_is_an_error() {
    let file = TempFile::new(&safetensors(GOOD, &[0; 4]));
    let checkpoint = Checkpoint::open(&file.path).unwrap();
    let size = checkpoint.bytes();
    let writer = fs::File::options().write(true).open(&file.path).unwrap();
    writer.set_len(size as u64 - 1).unwrap();
    let read = checkpoint.tensor("a", DType::F32, &Device::Cpu);
    let out = file.folder.path().join("out");
    for error in [
        read.map(drop).unwrap_err(),
        checkpoint.sha256().map(drop).unwrap_err(),
        checkpoint
            .fingerprint(|key| Some(key.into()))
            .map(drop)
            .unwrap_err(),
        convert(&checkpoint, &out, None).map(drop).unwrap_err(),
    ] {
        let text = error.to_string();
        let expected = format!("truncated: it had {size} bytes when it was opened");
        assert!(text.contains(&expected), "{text}");
    }
    assert!(!out.exists());
}

#[test]
fn an_empty_file_says_so() {
    assert_refused!(
        b"",
        CheckpointError::NotACheckpoint { .. },
        "empty",
        "cut off"
    );
}

#[test]
fn a_truncated_safetensors_file_tells_expected_and_found_bytes() {
    let file = safetensors(GOOD, &[0; 2]);
    for (length, text) in [
        (64, "it should have 66 bytes, but has 64"),
        (62, "it should have 66 bytes, but has 62"),
        (20, "its header ends at byte 62, but it has 20 bytes"),
        (8, "its header ends at byte 62, but it has 8 bytes"),
        (3, "it has 3 bytes"),
    ] {
        assert_refused!(
            file[..length],
            CheckpointError::Truncated { .. },
            text,
            "fetch it again"
        );
    }
}

#[test]
fn an_archive_without_its_end_is_truncated_but_one_with_a_bad_directory_is_damaged() {
    let mut file = torch(b"\x80\x02}.");
    assert_refused!(
        file[..60],
        CheckpointError::Truncated { .. },
        "its 60 bytes lack the zip directory",
        "fetch it again"
    );
    let directory = file.len() - 22 - 3 * 46 - "a/data.pkla/byteordera/data/0".len();
    assert!(file[directory..].starts_with(b"PK\x01\x02"));
    file[directory] = b'X';
    assert_refused!(
        file,
        CheckpointError::Corrupt { .. },
        "zip directory cannot be read",
        "checksum"
    );
}

#[test]
fn things_saved_in_place_of_weights_are_recognised() {
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1760000000\n";
    let cases: [(&[u8], Found, &str, &str); 10] = [
        (
            b"\n<!DOCTYPE html><html>",
            Found::Html,
            "an HTML page",
            "login",
        ),
        (b"<html lang=en>", Found::Html, "an HTML page", "login"),
        (
            b"{\"architectures\": [\"x\"]}",
            Found::Json,
            "JSON",
            "weight file",
        ),
        (b"Not Found\n", Found::Text, "a text file", "torch.save"),
        (
            b"\x1f\x8b\x08\0\0\0\0\0\x02\xff",
            Found::Compressed,
            "compressed",
            "unpack",
        ),
        (
            b"\x93NUMPY\x01\0\x02",
            Found::Unknown,
            "neither safetensors nor",
            "torch.save",
        ),
        (
            b"\xff\xfe\x01\x02\x03\x04\x05\x06\x07",
            Found::Unknown,
            "neither safetensors nor",
            "torch.save",
        ),
        (lfs, Found::LfsPointer, "Git LFS pointer", "git lfs pull"),
        (
            b"\x80\x02}q\0X\x01\0\0\0a",
            Found::Pickle,
            "a pickle, but none of torch.save",
            "torch.save",
        ),
        (
            &zip(&[]),
            Found::OtherZip,
            "without PyTorch's data.pkl",
            "unpack",
        ),
    ];
    for (bytes, expected, text, hint) in cases {
        assert_refused!(bytes, CheckpointError::NotACheckpoint { .. }, text, hint);
        let (error, _) = refused(bytes);
        assert!(
            matches!(error, CheckpointError::NotACheckpoint { found, .. } if found == expected)
        );
    }
}

#[test]
fn an_unrelated_zip_and_one_of_two_checkpoints_are_refused() {
    for file in [
        zip(&[("word/document.xml", b"<xml/>", 0)]),
        zip(&[("not_data.pkl", b"", 0)]),
        zip(&[("a/data.pkl", b"", 0), ("b/data.pkl", b"", 0)]),
    ] {
        assert_refused!(
            file,
            CheckpointError::NotACheckpoint { .. },
            "data.pkl",
            "unpack"
        );
    }
}

#[test]
fn a_damaged_compressed_member_is_named() {
    let file = zip(&[("a/data.pkl", b"\x80\x02}.", 8)]);
    assert_refused!(
        file,
        CheckpointError::Corrupt { .. },
        "member a/data.pkl cannot be unpacked",
        "fetch it again"
    );
    let file = zip(&[("a/data.pkl", b"\x80\x02}.", 12)]);
    assert_refused!(
        file,
        CheckpointError::Unsupported { .. },
        "member a/data.pkl is compressed by",
        "torch.save"
    );
}

#[test]
fn a_storage_that_is_packed_wrongly_is_an_error_when_it_is_read() {
    let pickle = super::util::tensor_pickle("FloatStorage", "2", "0", "2", "1");
    let file = zip(&[("a/data.pkl", &pickle, 0), ("a/data/0", &[0; 8], 8)]);
    let file = open_bytes(&file).unwrap();
    let error = file.tensor("w", DType::F32, &Device::Cpu).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("member a/data/0 cannot be unpacked"),
        "{error}"
    );
}

#[test]
fn asking_for_an_absent_tensor_or_an_integer_type_is_an_error() {
    let file = open_bytes(&safetensors_of(&[("a", &[1.0])])).unwrap();
    let error = file.tensor("b", DType::F32, &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("tensor b does not exist"));
    let error = file.tensor("a", DType::U8, &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("stored as u8"), "{error}");
    let counter = r#"{"n":{"dtype":"I64","shape":[],"data_offsets":[0,8]}}"#;
    let file = open_bytes(&safetensors(counter, &[0; 8])).unwrap();
    let error = file.tensor("n", DType::F32, &Device::Cpu).unwrap_err();
    assert!(error.to_string().contains("n has dtype i64"), "{error}");
}

#[test]
fn weights_too_large_for_the_wanted_type_are_an_error_that_says_where() {
    let file = safetensors_of(&[("a", &[1.0, 65519.0, 65520.0, -1e30])]);
    let file = open_bytes(&file).unwrap();
    let error = file.tensor("a", DType::F16, &Device::Cpu).unwrap_err();
    assert!(
        error.to_string().contains("the value 65520 at [2]"),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("bf16"));
    file.tensor("a", DType::BF16, &Device::Cpu).unwrap();
    // A double can be finite and still too large for f32.
    let header = r#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}"#;
    let data: Vec<u8> = [1.0, 1e300]
        .iter()
        .flat_map(|v: &f64| v.to_le_bytes())
        .collect();
    let file = open_bytes(&safetensors(header, &data)).unwrap();
    let error = file.tensor("a", DType::F32, &Device::Cpu).unwrap_err();
    assert!(
        matches!(error, CheckpointError::OutOfRange { .. }),
        "{error}"
    );
}

#[test]
fn a_type_that_is_no_weight_is_reported_by_verification() {
    let header = r#"{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#;
    let file = open_bytes(&safetensors(header, b"\0")).unwrap();
    let spec = uta_eval::checkpoint::TensorSpec {
        name: "a".into(),
        shape: vec![1],
        required: true,
    };
    let text = verify(&file, &[spec]).unwrap_err().to_string();
    assert!(
        text.contains("a: expected f32, f16 or bf16, found f8_e4m3"),
        "{text}"
    );
}

#[test]
fn a_model_is_not_built_from_nan_weights_and_the_error_stays_the_checkpoints() {
    let file = Arc::new(open("checkpoints/nan.pt"));
    let built: Result<_, uta_eval::app::error::Error> =
        load_with(&file, &Device::Cpu, |vb| vb.get((2, 2), "bad"));
    let error = built.unwrap_err();
    assert!(
        error.to_string().contains("tensor bad has 2 of 4 values"),
        "{error}"
    );
    assert_eq!(
        error.exit_code(),
        uta_eval::app::exit_code::ExitCode::Checkpoint
    );
}

#[test]
fn no_text_is_printed_twice_along_a_chain_of_errors() {
    let out = fixture("golden/tiny.pt").join("inside_a_file.safetensors");
    let file = open_bytes(&safetensors_of(&[("a", &[1.0])])).unwrap();
    let error = convert(&file, &out, None).unwrap_err();
    let source = error.source().unwrap().to_string();
    assert!(!error.to_string().contains(&source), "{error}");
}
