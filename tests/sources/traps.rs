use super::util::*;
use crate::support::{Folder, demo, fixture};

#[test]
fn a_missing_class_folder_shifts_no_other() {
    let folder = Folder::new();
    let pictures = pictures();
    let present: Vec<&Picture> = pictures.iter().skip(10).step_by(7).collect();
    for picture in &present {
        folder.write(
            &format!("val/{}/{}", picture.wnid, picture.name),
            &picture.bytes,
        );
    }
    let (lines, _) = predictions(folder.path(), &Folder::new(), &[]);
    for (line, picture) in lines.iter().zip(&present) {
        assert_eq!(line["label"], picture.class());
    }
}

#[test]
fn the_cmyk_picture_and_a_png_named_jpeg_are_read_wherever_they_are() {
    // The validation set has one CMYK picture; ImageNet has a PNG that is called .JPEG.
    let files = ["jpeg_cmyk.jpg", "png_rgba.png"];
    let bytes = files.map(|name| std::fs::read(fixture(&format!("pictures/{name}"))).unwrap());
    let wnid = "n01440764";
    let folder = Folder::new();
    for (index, bytes) in bytes.iter().enumerate() {
        folder.write(&format!("val/{wnid}/{}", flat_name(index)), bytes);
    }
    let (expected, _) = predictions(folder.path(), &Folder::new(), &[]);
    assert_eq!(expected.len(), 2);

    let archives = Folder::new();
    let members: Vec<_> = bytes
        .iter()
        .enumerate()
        .map(|(index, bytes)| (format!("{wnid}/{}", flat_name(index)), bytes.clone()))
        .collect();
    let tar = archives.write("val.tar", tar(&members));
    let rows: Vec<Row> = bytes
        .iter()
        .enumerate()
        .map(|(index, bytes)| (Some(bytes.clone()), flat_name(index), 0))
        .collect();
    let table = archives.write("val.parquet", Table::default().write(&rows));
    for path in [tar, table] {
        assert_eq!(predictions(&path, &Folder::new(), &[]).0, expected);
    }
}

#[test]
fn a_jpeg_of_absurd_declared_dimensions_is_skipped_and_not_allocated_wherever_it_is() {
    let mut bomb = std::fs::read(fixture("pictures/jpeg_420.jpg")).unwrap();
    let frame = bomb.windows(2).position(|m| m == [0xff, 0xc0]).unwrap();
    bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let folder = Folder::new();
    let class = "n01440764/a.JPEG";
    folder.write(&format!("folders/{class}"), &bomb);
    folder.write("val.tar", tar(&[(class, bomb.clone())]));
    let rows = [(Some(bomb), "a.JPEG".to_string(), 0)];
    folder.write("val.parquet", Table::default().write(&rows));
    for name in ["folders", "val.tar", "val.parquet"] {
        let ran = evaluated(&folder.join(name), &[], 6);
        ran.warned(&["a.JPEG: it declares 65500 x 65500 pixels, more than the limit"]);
    }
}

#[test]
#[cfg(unix)]
fn links_that_lead_nowhere_or_back_are_told_of() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    let picture = &pictures()[0];
    folder.write("val/n01440764/a.JPEG", &picture.bytes);
    symlink("/no/such/file", folder.join("val/n01440764/b.JPEG")).unwrap();
    evaluated(folder.path(), &[], 6).warned(&["b.JPEG: No such file"]);
    symlink("..", folder.join("val/n01440764/back")).unwrap();
    refused(folder.path(), &[], &["too deep", "does a link lead back?"]);
    std::fs::remove_file(folder.join("val/n01440764/back")).unwrap();
    // A whole class that is elsewhere and gone, or still packed, is not left out.
    symlink("/no/such/folder", folder.join("val/n01443537")).unwrap();
    let texts = ["n01443537 is named as a class, but is no folder"];
    refused(folder.path(), &[], &texts);
    std::fs::remove_file(folder.join("val/n01443537")).unwrap();
    folder.write("val/n01443537.tar", "x");
    refused(folder.path(), &[], &["n01443537.tar is named as a class"]);
}

#[test]
#[cfg(unix)]
fn folders_that_may_not_be_read_are_named() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    let folder = Folder::new();
    let mode = |name: &str, mode| {
        std::fs::set_permissions(folder.join(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    folder.write("val/n01440764/a.JPEG", "x");
    let program = folder.join("uta-eval");
    std::fs::copy(env!("CARGO_BIN_EXE_uta-eval"), &program).unwrap();
    mode("uta-eval", 0o755);
    mode("", 0o755);
    mode("val/n01440764", 0);
    let mut command = Command::new(&program);
    command
        .arg("--ckpt-path")
        .arg(folder.copy(&demo("uta_demo.safetensors"), "a.safetensors"))
        .arg("--imagenet-path")
        .arg(folder.path());
    command.env("HOME", folder.path());
    if std::fs::metadata(folder.path()).unwrap().uid() == 0 {
        command.uid(65534); // nothing is closed to the superuser
    }
    let output = command.output().unwrap();
    mode("val/n01440764", 0o755);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("val/n01440764 cannot be read"), "{stderr}");
    assert!(stderr.contains("Permission denied"), "{stderr}");
}

#[test]
fn a_wordnet_id_in_a_name_must_agree_with_the_class_folder_of_every_source() {
    let folder = Folder::new();
    let name = "n01443537/n01440764_1.JPEG";
    folder.write(&format!("folders/{name}"), "x");
    folder.write("val.tar", tar(&[(name, b"x".to_vec())]));
    for path in ["folders", "val.tar"] {
        let texts = ["of class 1 by its label, but its name says 0"];
        refused(&folder.join(path), &[], &texts);
    }
}

#[test]
fn an_archive_has_the_names_and_the_order_of_its_folder() {
    let folder = Folder::new();
    let picture = &pictures()[0];
    let mut members: Vec<(String, Vec<u8>)> = [0, 10, 2, 301]
        .iter()
        .flat_map(|class| ["b-c/a.jpg", "b.jpg", "b/a.jpg"].map(|name| format!("{class}/{name}")))
        .map(|name| (name, picture.bytes.clone()))
        .collect();
    for (name, bytes) in &members {
        folder.write(&format!("folders/val/{name}"), bytes);
    }
    members.reverse();
    for (name, _) in &mut members {
        name.insert_str(0, "./val/");
    }
    let archive = folder.write("val.tar", tar(&members));
    let json = folder.join("result.json");
    let judgements = |path: &std::path::Path| -> serde_json::Value {
        let more = ["--dataset", "imagenet-v2", "--json", json.to_str().unwrap()];
        evaluated(path, &more, 0);
        let text = std::fs::read_to_string(&json).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["judgements"].take()
    };
    let expected = judgements(&folder.join("folders"));
    assert_eq!(expected[3][0], "2/b/a.jpg");
    assert_eq!(judgements(&archive), expected);
}
