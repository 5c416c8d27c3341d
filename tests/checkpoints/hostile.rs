//! Cut, mutated and malicious files: errors, no panic, no large allocation.

use candle_core::{DType, Device};
use uta_eval::checkpoint::{Checkpoint, CheckpointError, Dtype, convert};

use super::util::{
    TempFile, fixture, open_bytes, refused, safetensors, torch, torch_tensor, values,
};

/// Opens the file and, if that works, reads every tensor: only a panic can fail.
fn exercise(file: &TempFile, bytes: &[u8]) {
    file.replace(bytes);
    match Checkpoint::open(&file.path) {
        Ok(checkpoint) => {
            for entry in checkpoint.entries() {
                let tensor = checkpoint.tensor(entry.name, DType::F32, &Device::Cpu);
                let _ = tensor.map_err(|error| (error.to_string(), error.hint()));
            }
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

fn small_files() -> Vec<Vec<u8>> {
    let mut files: Vec<Vec<u8>> = [
        "views.pt",
        "training_protocol4.pt",
        "uint16.pt",
        "legacy_views.pt",
        "legacy_protocol4.pt",
        "deflated.pt",
        "ema.pt",
    ]
    .iter()
    .map(|name| std::fs::read(fixture(&format!("checkpoints/{name}"))).expect("a fixture"))
    .collect();
    let header = r#"{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[],"data_offsets":[8,10]}}"#;
    files.push(safetensors(header, &[0; 10]));
    files
}

#[test]
fn a_file_cut_anywhere_is_called_truncated_with_its_length() {
    let scratch = TempFile::new(b"-");
    for file in small_files() {
        let step = file.len().div_ceil(250);
        for length in (1..file.len()).step_by(step) {
            scratch.replace(&file[..length]);
            let error = Checkpoint::open(&scratch.path).unwrap_err();
            let text = error.to_string();
            assert!(
                matches!(error, CheckpointError::Truncated { .. }),
                "{length}: {text}"
            );
            assert!(text.contains(&length.to_string()), "{length}: {text}");
        }
    }
}

#[test]
fn no_changed_byte_of_a_small_file_causes_a_panic() {
    let scratch = TempFile::new(b"-");
    for mut file in small_files() {
        let step = file.len().div_ceil(500);
        for at in (0..file.len()).step_by(step) {
            let original = file[at];
            for value in [original ^ 1, original ^ 0x80, 0, 0xff, b'(', b'R'] {
                file[at] = value;
                exercise(&scratch, &file);
            }
            file[at] = original;
        }
    }
}

#[test]
fn random_damage_to_headers_causes_no_panic() {
    let scratch = TempFile::new(b"-");
    // A linear congruential generator: the same damage on every run.
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % below
    };
    for file in small_files() {
        for _ in 0..500 {
            let mut damaged = file.clone();
            for _ in 0..=random(6) {
                let at = random(damaged.len());
                damaged[at] = random(256) as u8;
            }
            exercise(&scratch, &damaged);
        }
    }
}

#[test]
fn deeply_nested_pickles_are_read_without_recursion() {
    // A million tuples inside each other, then a dict nested in itself.
    let mut pickle = b"\x80\x02)".to_vec();
    pickle.extend(std::iter::repeat_n(0x85, 1_000_000));
    pickle.push(b'.');
    assert!(matches!(
        refused(&torch(&pickle)).0,
        CheckpointError::NoStateDict { .. }
    ));
    let cyclic = b"\x80\x02}q\0X\x05\0\0\0modelh\0s.";
    assert!(matches!(
        refused(&torch(cyclic)).0,
        CheckpointError::NoStateDict { .. }
    ));
}

#[test]
fn a_pickle_of_too_many_values_is_refused_early() {
    let mut pickle = b"\x80\x02(".to_vec();
    pickle.extend(std::iter::repeat_n(b'N', 3_000_000));
    pickle.extend_from_slice(b"t.");
    let (_, text) = refused(&torch(&pickle));
    assert!(text.contains("more than 2000000 values"), "{text}");
    let mut pickle = b"\x80\x02N".to_vec();
    pickle.extend(std::iter::repeat_n(b'2', 9_000_000));
    let (_, text) = refused(&torch(&pickle));
    assert!(text.contains("more than 8000000 opcodes"), "{text}");
}

#[test]
fn broken_pickles_say_what_and_where() {
    for (pickle, expected) in [
        (&b"\x80\x02"[..], "it ends too early, at byte 2"),
        (b"\x80\x02X\xff\xff\xff\xffab.", "it ends too early"),
        (
            b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.",
            "it ends too early",
        ),
        (b"\x80\x02.", "takes more values than it has"),
        (b"\x80\x02h\x05.", "recalls what it never stored"),
        (b"\x80\x02(.", "takes more values"),
        (b"\x80\x02N(\x85.", "takes more values"),
        (b"\x80\x02)R.", "takes more values"),
        (b"\x80\x02}(Nu.", "a key without a value"),
        (b"\x80\x02\x82\x01.", "opcode 0x82"),
        (b"\x80\x09.", "protocol 9"),
        (b"\x80\x02cos", "a line does not end"),
    ] {
        let (error, text) = refused(&torch(pickle));
        assert!(
            matches!(error, CheckpointError::Corrupt { .. }),
            "{error:?}"
        );
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn tensors_that_reach_beyond_their_storage_are_refused_by_name() {
    let max = i64::MAX.to_string();
    let max = max.as_str();
    for (class, elements, offset, size, stride, expected) in [
        (
            "FloatStorage",
            "2",
            "0",
            "3",
            "1",
            "beyond its storage of 8 bytes",
        ),
        ("FloatStorage", "2", "1", "2", "1", "beyond its storage"),
        ("FloatStorage", "2", "2", "1", "1", "beyond its storage"),
        ("FloatStorage", "2", max, "2", "1", "beyond its storage"),
        ("FloatStorage", "2", "0", "2", max, "beyond its storage"),
        ("FloatStorage", "2", "0", "2 3", "0 2", "beyond its storage"),
        (
            "FloatStorage",
            "3",
            "0",
            "2",
            "1",
            "storage has 8 bytes, too few for the 3 elements",
        ),
        ("FloatStorage", max, "0", "2", "1", "storage has 8 bytes"),
        ("FloatStorage", "2", "0", "-2", "1", "shape is invalid"),
        ("FloatStorage", "2", "-1", "2", "1", "offset is invalid"),
        ("FloatStorage", "2", "0", "2", "-1", "stride is invalid"),
        ("FloatStorage", "2", "0", "2", "1 1", "differ in length"),
        (
            "FloatStorage",
            "2",
            "0",
            "4294967296 4294967296",
            "0 0",
            "impossibly large",
        ),
        (
            "FloatStorage",
            "2",
            "0",
            "1099511627776",
            "0",
            "claims far more bytes than the file has",
        ),
    ] {
        let (error, text) = refused(&torch_tensor(class, elements, offset, size, stride));
        assert!(
            matches!(error, CheckpointError::Corrupt { .. }),
            "{error:?}"
        );
        assert!(
            text.contains("tensor w: ") && text.contains(expected),
            "{text}"
        );
    }
    let (error, _) = refused(&torch_tensor("EvilStorage", "2", "0", "2", "1"));
    assert!(
        matches!(error, CheckpointError::UnsupportedTensor { .. }),
        "{error:?}"
    );
}

#[test]
fn a_storage_that_is_not_in_the_archive_is_named() {
    let mut file = torch_tensor("FloatStorage", "2", "0", "2", "1");
    // Both the local header and the directory call the member `a/data/0`.
    let name = b"a/data/0";
    let places: Vec<usize> = (0..file.len())
        .filter(|&at| file[at..].starts_with(name))
        .collect();
    for at in places {
        file[at + name.len() - 1] = b'7';
    }
    let (_, text) = refused(&file);
    assert!(
        text.contains("tensor w: its storage 0 is missing"),
        "{text}"
    );
}

#[test]
fn strides_of_empty_axes_and_of_those_of_length_one_mean_nothing() {
    let max = i64::MAX.to_string();
    for (size, stride) in [
        ("0", max.as_str()),
        ("1", max.as_str()),
        ("0 5", "1 1"),
        ("1 2", "99 1"),
        ("", ""),
    ] {
        let file = open_bytes(&torch_tensor("FloatStorage", "2", "0", size, stride)).expect("good");
        let elements = file.get("w").unwrap().shape.iter().product::<usize>();
        assert_eq!(values(&file, "w").len(), elements);
        let out = TempFile::new(b"-");
        convert(&file, &out.folder.path().join("out"), Some(Dtype::BF16)).expect("converted");
    }
}
