use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::support::json;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use uta_eval::text::clean::clean;
use uta_eval::text::{
    CONTEXT, ClassNames, END_OF_TEXT, Templates, TextError, Tokenizer, VOCABULARY, entities,
    imagenet, prompts,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    text: String,
    ids: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectedPrompts {
    sha256_of_int32_le_ids_class_major: String,
    prompts: usize,
    context: usize,
    tokens_to_end_of_text: usize,
}

fn tokenizer() -> Tokenizer {
    Tokenizer::clip().expect("the built-in tables are sound")
}

fn padded(mut ids: Vec<u32>) -> Vec<u32> {
    ids.resize(CONTEXT, 0);
    ids
}

/// A file of the given bytes in a folder of its own, which lives as long as the result.
fn file(bytes: impl AsRef<[u8]>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("list.txt");
    std::fs::write(&path, bytes).expect("a writable temporary folder");
    (folder, path)
}

/// The error's message with the temporary folder cut out, and its hint.
fn said(error: &TextError) -> (String, String) {
    let folder = error
        .path()
        .and_then(Path::parent)
        .expect("a file error")
        .display()
        .to_string();
    let message = error.to_string().replace(&format!("{folder}/"), "");
    (message, error.hint().expect("a hint"))
}

#[test]
fn every_golden_text_has_the_reference_ids() {
    let tokenizer = tokenizer();
    let golden: Vec<Expected> = json("golden/tokenizer_expected.json");
    assert!(!golden.is_empty());
    for case in golden {
        assert_eq!(
            padded(tokenizer.encode(&case.text)),
            case.ids,
            "{:?}",
            case.text
        );
    }
}

#[test]
fn three_hundred_odd_texts_have_the_reference_ids() {
    let tokenizer = tokenizer();
    let cases: Vec<Expected> = json("text/more_tokens.json");
    assert_eq!(cases.len(), 307);
    let mut wrong = String::new();
    for case in cases {
        let ids = tokenizer.encode(&case.text);
        if ids != case.ids {
            let _ = writeln!(wrong, "{:?}\n  {ids:?}\n  {:?}", case.text, case.ids);
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn two_thousand_garbled_texts_are_cleaned_as_the_reference_cleans_them() {
    let cases: Vec<(String, String)> = json("text/cleaned.json");
    assert!(cases.len() > 2000);
    let mut wrong = String::new();
    for (text, expected) in cases {
        let cleaned = clean(&text);
        if cleaned != expected {
            let _ = writeln!(wrong, "{text:?}\n  {cleaned:?}\n  {expected:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_html_entity_is_decoded_as_python_decodes_it() {
    let cases: Vec<(String, String, String)> = json("text/entities.json");
    assert!(!cases.is_empty());
    for (text, lenient, strict) in cases {
        assert_eq!(entities::unescape(&text), lenient);
        assert_eq!(entities::unescape_strict(&text), strict);
    }
}

#[test]
fn the_80000_imagenet_prompts_have_the_reference_ids() {
    let expected: ExpectedPrompts = json("golden/prompts_expected.json");
    let (classes, templates) = (ClassNames::imagenet(), Templates::imagenet());
    let texts: Vec<String> = prompts(&classes, &templates).collect();
    assert_eq!((texts.len(), CONTEXT), (expected.prompts, expected.context));

    let encoded = tokenizer().encode_batch_to_end(&texts);
    let mut hash = Sha256::new();
    for ids in &encoded {
        for id in padded(ids.clone()) {
            hash.update(id.to_le_bytes());
        }
    }
    let hash = hash.finalize().iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    assert_eq!(hash, expected.sha256_of_int32_le_ids_class_major);
    assert_eq!(
        encoded.iter().map(Vec::len).sum::<usize>(),
        expected.tokens_to_end_of_text
    );

    let nodes: HashSet<&[u32]> = encoded
        .iter()
        .flat_map(|ids| (1..=ids.len()).map(|end| &ids[..end]))
        .collect();
    assert_eq!(nodes.len(), 328_378, "distinct prefixes");
}

#[test]
fn a_batch_gives_what_each_text_gives_alone() {
    let tokenizer = tokenizer();
    let texts = ["", "a cat", "ＡＢＣ &amp; ﬁ", "<end_of_text>"];
    let batch = tokenizer.encode_batch_to_end(&texts);
    assert_eq!(batch, texts.map(|text| tokenizer.encode_to_end(text)));
    assert!(batch.iter().flatten().all(|&id| (id as usize) < VOCABULARY));
    assert!(batch.iter().all(|ids| ids.last() == Some(&END_OF_TEXT)));
    assert!(Tokenizer::merges().ends_with(b"\n"));
}

#[test]
fn no_text_makes_the_tokenizer_fail() {
    let tokenizer = tokenizer();
    // A small generator suffices: characters that the repairs react to, in random order.
    let hot: Vec<char> =
        "íÀ\u{a0}\u{80}¿¯°ÃÂâ€™\u{1a}\u{fffd} &;#xX09<>\u{1b}[m\n\ra'ſ\u{345}Σİ😀e\u{301}"
            .chars()
            .collect();
    let mut state: u64 = 1;
    let mut next = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..3000 {
        let text: String = (0..next(24)).map(|_| hot[next(hot.len())]).collect();
        let ids = tokenizer.encode(&text);
        assert!((2..=CONTEXT).contains(&ids.len()), "{text:?}");
        assert_eq!(ids.last(), Some(&END_OF_TEXT), "{text:?}");
    }
}

#[test]
fn the_builtin_lists_are_imagenets() {
    let (classes, templates) = (ClassNames::imagenet(), Templates::imagenet());
    assert_eq!((classes.len(), templates.len()), (1000, 80));
    assert_eq!(imagenet::wnids().len(), classes.len());
    assert_eq!(classes.folders(), None);
    for (wnid, name) in [
        ("n01440764", "tench"),
        ("n02012849", "crane bird"),
        ("n03126707", "construction crane"),
        ("n04266014", "space shuttle"),
        ("n15075141", "toilet paper"),
    ] {
        let class = imagenet::class_of_wnid(wnid).expect("an ImageNet folder");
        assert_eq!(classes.name(class), Some(name), "{wnid}");
    }
    for pair in [[657, 744], [836, 837]] {
        assert_eq!(classes.name(pair[0]), classes.name(pair[1]));
    }
    assert_eq!(templates.prompt(0, "tench"), "a bad photo of a tench.");
}

#[test]
fn prompts_come_class_by_class_and_template_by_template() {
    let (_names, names) = file("cat\ndog\n");
    let (_templates, templates) = file("a {}.\n{} or {}\n");
    let classes = ClassNames::from_file(&names).unwrap();
    let templates = Templates::from_file(&templates).unwrap();
    let all: Vec<String> = prompts(&classes, &templates).collect();
    assert_eq!(all, ["a cat.", "cat or cat", "a dog.", "dog or dog"]);
}

#[test]
fn a_name_may_hold_braces_a_hash_and_any_script() {
    let (_folder, path) = file("#1 {} fan\nmissile\nmissile\nЁж & co");
    let classes = ClassNames::from_file(&path).unwrap();
    assert_eq!(
        classes.names(),
        ["#1 {} fan", "missile", "missile", "Ёж & co"]
    );
    assert_eq!(
        Templates::imagenet().prompt(0, "#1 {} fan"),
        "a bad photo of a #1 {} fan."
    );
}

#[test]
fn byte_order_mark_crlf_and_blank_lines_at_the_end_are_accepted() {
    let (_folder, path) = file("\u{feff}cat\r\n dog \r\n\r\n  \n\n");
    let classes = ClassNames::from_file(&path).unwrap();
    assert_eq!(classes.names(), ["cat", "dog"]);
    let (_folder, path) = file("\u{feff}a {}\r\n\r\n");
    assert_eq!(Templates::from_file(&path).unwrap().templates(), ["a {}"]);
}

#[test]
fn a_file_with_folders_keeps_them_beside_the_names() {
    let (_folder, path) = file("n02\tcat\r\nn01\ttabby cat\nn03\tcat\n");
    let classes = ClassNames::from_file(&path).unwrap();
    assert_eq!(classes.names(), ["cat", "tabby cat", "cat"]);
    assert_eq!(classes.folders().unwrap(), ["n02", "n01", "n03"]);
}

#[test]
fn a_bad_class_name_file_is_refused_with_file_and_line() {
    for (bytes, message, hint) in [
        (
            &b"cat\n\ndog\n"[..],
            "list.txt:2: blank line inside the class names file",
            "shift",
        ),
        (
            b"\ncat\n",
            "list.txt:1: blank line inside the class names file",
            "shift",
        ),
        (
            b"",
            "list.txt: the class names file is empty",
            "one class name per line",
        ),
        (
            b"\xef\xbb\xbf\r\n \n",
            "list.txt: the class names file is empty",
            "one class name",
        ),
        (
            b"cat\ncaf\xe9\n",
            "list.txt:2: the class names file is not valid UTF-8",
            "iconv",
        ),
        (
            b"a\tcat\ndog\n",
            "list.txt:2: plain name without a folder although line 1 has a folder, a tab and a name",
            "or none of them",
        ),
        (
            b"cat\nemu\nb\tdog",
            "list.txt:3: a tab separates folder and name although line 1 is a plain name",
            "or none of them",
        ),
        (
            b"a\tcat\n\tdog",
            "list.txt:2: expected `folder<TAB>name`, found nothing before the tab",
            "one tab",
        ),
        (
            b"a\tcat\nb\t",
            "list.txt:2: expected `folder<TAB>name`, found nothing after the tab",
            "one tab",
        ),
        (
            b"a\tcat\tx",
            "list.txt:1: expected `folder<TAB>name`, found more than one tab",
            "one tab",
        ),
        (
            b"a\tcat\nb\tdog\na\temu\n",
            "list.txt:3: folder `a` is already on line 1",
            "of its own",
        ),
    ] {
        let (_folder, path) = file(bytes);
        let error = ClassNames::from_file(&path).expect_err(message);
        let (said, advice) = said(&error);
        assert_eq!(said, message);
        assert!(advice.contains(hint), "{advice}");
    }
}

#[test]
fn folders_and_names_without_a_tab_between_are_no_class_names() {
    for (text, line, expected) in [
        (
            "n01440764,tench\nn01443537,goldfish\n",
            1,
            "a comma between",
        ),
        ("n01440764, tench\n", 1, "a comma between"),
        ("wnid,name\nn01440764,tench\n", 2, "a comma between"),
        ("n01440764 tench, Tinca tinca\n", 1, "a blank between"),
        ("n01440764;tench\n", 1, "a semicolon between"),
        ("n01440764: tench\n", 1, "a colon between"),
        ("dogs,dog\ncats,cat\n", 1, "a comma between"),
        ("dogs;dog\ncats;cat\n", 1, "a semicolon between"),
        ("tench\nn01443537\n", 2, "is a folder of ImageNet"),
    ] {
        let (_folder, path) = file(text);
        let error = ClassNames::from_file(&path).unwrap_err();
        let (message, hint) = said(&error);
        assert!(message.contains(&format!(":{line}: ")), "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(hint.contains("folder<TAB>name"), "{hint}");
    }
    // Commas belong to names.
    for text in [
        "tench, Tinca tinca\ngoldfish, Carassius auratus\n",
        "black,white\nred\n",
        "n01440764\ttench, Tinca tinca\n",
        "a,b\na,c\n",
        "n0144,x\n",
    ] {
        let (_folder, path) = file(text);
        assert!(ClassNames::from_file(&path).is_ok(), "{text}");
    }
}

#[test]
fn a_long_line_is_told_by_its_beginning() {
    let (_folder, path) = file(format!("a photo of {}\n", "a".repeat(100_000)));
    let error = Templates::from_file(&path).unwrap_err().to_string();
    assert!(error.len() < 1000, "{} bytes", error.len());
}

#[test]
fn a_bad_template_file_is_refused_with_file_and_line() {
    for (bytes, message, hint) in [
        (
            &b"a {}\na photo of a {d}.\n"[..],
            "list.txt:2: template without `{}` or `{c}`: `a photo of a {d}.`",
            "write `{}` where",
        ),
        (
            b"a {}\n \nb {}",
            "list.txt:2: blank line inside the templates file",
            "remove",
        ),
        (
            b"\n\n",
            "list.txt: the templates file is empty",
            "a photo of a {}.",
        ),
        (
            b"\xff\xfea\0",
            "list.txt:1: the templates file is not valid UTF-8",
            "iconv",
        ),
    ] {
        let (_folder, path) = file(bytes);
        let error = Templates::from_file(&path).expect_err(message);
        let (said, advice) = said(&error);
        assert_eq!(said, message);
        assert!(advice.contains(hint), "{advice}");
    }
}

#[test]
fn a_missing_file_or_a_folder_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("names.txt");
    let error = ClassNames::from_file(&missing).unwrap_err();
    let (message, hint) = said(&error);
    assert_eq!(message, "cannot read the class names file names.txt");
    assert!(
        std::error::Error::source(&error).is_some(),
        "the reason is the next link"
    );
    assert!(hint.contains("built-in class names"), "{hint}");
    let error = Templates::from_file(folder.path()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("cannot read the templates file "),
        "{error}"
    );
    assert!(error.hint().unwrap().contains("this is a file"));
}
