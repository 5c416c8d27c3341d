//! Checkpoints whose header or pickle is damaged or holds no state dict, with message and hint.

use uta_eval::checkpoint::CheckpointError;

use super::util::{assert_refused, open_bytes, refused, safetensors, safetensors_of, torch, zip};

const GOOD: &str = r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#;

#[test]
fn a_corrupt_header_says_what_is_wrong() {
    for (header, text) in [
        ("{", "EOF"),
        (r#"{"a":1}"#, "tensor a is described wrongly"),
        (
            r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#,
            "tensor a is described wrongly",
        ),
        (r#"{"a":{"dtype":"F32","shape":[1]}}"#, "data_offsets"),
        (
            r#"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#,
            "F99",
        ),
        (r#"{"__metadata__":{"x":{}}}"#, "metadata is invalid"),
    ] {
        assert_refused!(
            safetensors(header, b"\0\0\0\0"),
            CheckpointError::Corrupt { .. },
            text,
            "checksum"
        );
    }
    let file = safetensors(GOOD, &[0; 9]);
    assert_refused!(
        file,
        CheckpointError::Corrupt { .. },
        "5 bytes follow its last tensor",
        ""
    );
    let mut file = safetensors(GOOD, &[0; 4]);
    file[..8].copy_from_slice(&(1_u64 << 60).to_le_bytes());
    assert_refused!(
        file,
        CheckpointError::Corrupt { .. },
        "declares a header of 1152921504606846976 bytes",
        ""
    );
}

#[test]
fn offsets_that_overlap_or_leave_the_file_name_the_tensor() {
    let pair = |b: &str| {
        format!(
            r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},"b":{{"dtype":"F32","shape":[1],"data_offsets":{b}}}}}"#
        )
    };
    for (offsets, text) in [
        ("[4,8]", "tensor b overlaps the tensor before it by 4 bytes"),
        ("[12,16]", "tensor b leaves a hole of 4 bytes"),
        ("[12,8]", "tensor b ends before it begins"),
        (
            "[8,10]",
            "tensor b has 2 bytes, but its shape [1] of f32 needs 4",
        ),
    ] {
        let file = safetensors(&pair(offsets), &[0; 16]);
        assert_refused!(file, CheckpointError::Corrupt { .. }, text, "fetch");
    }
    let huge = r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296,2],"data_offsets":[0,8]}}"#;
    assert_refused!(
        safetensors(huge, &[0; 8]),
        CheckpointError::Corrupt { .. },
        "tensor a is impossibly large",
        "fetch"
    );
}

#[test]
fn a_file_without_tensors_says_so() {
    let nested_but_empty = b"\x80\x02}X\x05\0\0\0model}s.";
    for file in [
        safetensors("{}", b""),
        torch(b"\x80\x02}."),
        torch(nested_but_empty),
    ] {
        assert_refused!(
            file,
            CheckpointError::NoTensors { .. },
            "holds no tensors",
            "model.state_dict()"
        );
    }
}

#[test]
fn a_pickle_of_something_else_is_no_state_dict_and_names_what_it_is() {
    for (pickle, text) in [
        (&b"\x80\x02K\x01."[..], "another plain value"),
        (b"\x80\x02].", "a list"),
        (
            b"\x80\x02cos\nsystem\nX\x02\0\0\0ls\x85R.",
            "a pickled object of os.system",
        ),
    ] {
        assert_refused!(
            torch(pickle),
            CheckpointError::NoStateDict { .. },
            text,
            "model.state_dict()"
        );
    }
}

#[test]
fn a_key_that_occurs_twice_is_refused() {
    for key in ["a", "module.a"] {
        let file = safetensors_of(&[(key, &[1.0]), (key, &[2.0])]);
        assert_refused!(
            file,
            CheckpointError::DuplicateKey { .. },
            "a occurs twice",
            "once"
        );
    }
    // Without any data even the order of the offsets gives nothing away.
    let file = safetensors_of(&[("a", &[]), ("a", &[])]);
    assert_refused!(
        file,
        CheckpointError::DuplicateKey { .. },
        "a occurs twice",
        "once"
    );
    let file = zip(&[("a/data.pkl", b"\x80\x02}.", 0), ("a/data.pkl", b"N.", 0)]);
    assert_refused!(file, CheckpointError::Corrupt { .. }, "one name", "");
}

#[test]
fn a_prefix_goes_only_if_every_key_has_it() {
    let file = safetensors_of(&[("module.a", &[1.0]), ("module.b", &[2.0])]);
    assert!(open_bytes(&file).unwrap().get("a").is_some());
    let file = safetensors_of(&[("module.a", &[1.0]), ("b", &[2.0])]);
    assert!(open_bytes(&file).unwrap().get("module.a").is_some());
}

#[test]
fn control_characters_of_a_file_never_reach_the_terminal() {
    let name = r"\u001b[2Ja\u202e";
    let entry = |dtype: &str| {
        format!(r#"{{"{name}":{{"dtype":"{dtype}","shape":[0],"data_offsets":[0,0]}}}}"#)
    };
    assert_refused!(
        safetensors(&entry("F32"), b""),
        CheckpointError::Corrupt { .. },
        r"\u{1b}[2Ja\u{202e}",
        ""
    );
    for header in [
        entry("F32").replace("[0,0]", "[2,1]"),
        entry(r"\u001b]0;title\u0007"),
        entry("F32").replace("[0]", r#"["\u001b[2J"]"#),
        format!(r#"{{"a":1,"a":2,{}"#, &entry("F32")[1..]),
    ] {
        let (_, text) = refused(&safetensors(&header, b""));
        assert!(!text.contains(char::is_control), "{text:?}");
    }
    for pickle in [
        &b"\x80\x02c\x1b[2J\n\x07\n)R."[..],
        b"\x80\x02}X\x04\0\0\0\x1b[2JK\x01s.",
    ] {
        let (_, text) = refused(&torch(pickle));
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(text.contains(r"\u{1b}"), "{text}");
    }
    let file = zip(&[("\x1b[2J/data.pkl", b"\x80\x02}.", 8)]);
    assert!(!refused(&file).1.contains(char::is_control));
}
