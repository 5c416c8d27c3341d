//! Temporary files, and hand-made safetensors, zip and pickle bytes.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use candle_core::{DType, Device, Tensor};
use tempfile::TempDir;
use uta_eval::checkpoint::{Checkpoint, CheckpointError};

/// A file of the repository that the tests cannot do without.
pub fn fixture(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    assert!(path.is_file(), "the fixture {} is missing", path.display());
    path
}

/// Opens a fixture that must be good.
pub fn open(name: &str) -> Checkpoint {
    Checkpoint::open(&fixture(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A file in a folder that goes away with it.
pub struct TempFile {
    pub folder: TempDir,
    pub path: PathBuf,
}

impl TempFile {
    pub fn new(bytes: &[u8]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("weights.bin");
        fs::write(&path, bytes).expect("a temporary file");
        Self { folder, path }
    }

    /// Replaces the content in place: thousands of truncated and rewritten files would have the
    /// file system write each of them to the disk.
    pub fn replace(&self, bytes: &[u8]) {
        let mut file = fs::OpenOptions::new()
            .write(true)
            .open(&self.path)
            .expect("the file");
        file.write_all(bytes)
            .and_then(|()| file.set_len(bytes.len() as u64))
            .expect("written");
    }
}

/// Opens a file of these bytes.
pub fn open_bytes(bytes: &[u8]) -> Result<Checkpoint, CheckpointError> {
    Checkpoint::open(&TempFile::new(bytes).path)
}

/// Opens a file of these bytes, which must fail, and says what the user reads.
pub fn refused(bytes: &[u8]) -> (CheckpointError, String) {
    let error = open_bytes(bytes).expect_err("the file should be refused");
    let text = error.to_string();
    (error, text)
}

/// A tensor on the CPU as its raw values in `f64`, flattened.
pub fn values(checkpoint: &Checkpoint, name: &str) -> Vec<f64> {
    let tensor = checkpoint
        .tensor(name, DType::F64, &Device::Cpu)
        .unwrap_or_else(|error| panic!("{name}: {error}"));
    flat(&tensor)
}

/// The values of a tensor in `f64`, flattened.
pub fn flat(tensor: &Tensor) -> Vec<f64> {
    let tensor = tensor
        .to_dtype(DType::F64)
        .and_then(|tensor| tensor.flatten_all());
    tensor
        .and_then(|tensor| tensor.to_vec1())
        .expect("a tensor on the CPU")
}

/// A safetensors file of this header and data.
pub fn safetensors(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

/// A safetensors file of one-dimensional f32 tensors.
pub fn safetensors_of(tensors: &[(&str, &[f32])]) -> Vec<u8> {
    let (mut header, mut data) = (Vec::new(), Vec::new());
    for (name, values) in tensors {
        let begin = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        header.push(format!(
            r#""{name}":{{"dtype":"F32","shape":[{}],"data_offsets":[{begin},{}]}}"#,
            values.len(),
            data.len()
        ));
    }
    safetensors(&format!("{{{}}}", header.join(",")), &data)
}

/// A zip archive of stored members; `method` 8 makes a member claim to be deflated.
pub fn zip(members: &[(&str, &[u8], u16)]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, data, method) in members {
        let offset = file.len() as u32;
        let (size, name_length) = (data.len() as u32, name.len() as u16);
        let mut common = Vec::new();
        common.extend(
            [20_u16, 0, *method, 0, 0]
                .iter()
                .flat_map(|field| field.to_le_bytes()),
        );
        common.extend(
            [0, size, size]
                .iter()
                .flat_map(|field: &u32| field.to_le_bytes()),
        );
        common.extend(
            [name_length, 0]
                .iter()
                .flat_map(|field| field.to_le_bytes()),
        );
        file.extend_from_slice(b"PK\x03\x04");
        file.extend_from_slice(&common);
        file.extend_from_slice(name.as_bytes());
        file.extend_from_slice(data);
        directory.extend_from_slice(b"PK\x01\x02\x14\x00");
        directory.extend_from_slice(&common);
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&offset.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
    }
    let (offset, count) = (file.len() as u32, members.len() as u16);
    file.extend_from_slice(&directory);
    file.extend_from_slice(b"PK\x05\x06\0\0\0\0");
    file.extend([count, count].iter().flat_map(|field| field.to_le_bytes()));
    file.extend(
        [directory.len() as u32, offset]
            .iter()
            .flat_map(|field| field.to_le_bytes()),
    );
    file.extend_from_slice(&[0, 0]);
    file
}

/// A zip archive whose sizes and offsets are all in 64-bit records, as those of large files are.
pub fn zip64(members: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut file, mut directory) = (Vec::new(), Vec::new());
    for (name, data) in members {
        let (offset, size) = (file.len() as u64, data.len() as u64);
        let fixed = |extra: u16| {
            let mut common = [45_u16, 0, 0, 0, 0].map(u16::to_le_bytes).concat();
            common.extend([0, u32::MAX, u32::MAX].map(u32::to_le_bytes).concat());
            common.extend([name.len() as u16, extra].map(u16::to_le_bytes).concat());
            common
        };
        let extra = |values: &[u64]| {
            let header = [1, 8 * values.len() as u16].map(u16::to_le_bytes).concat();
            let values = values.iter().flat_map(|value| value.to_le_bytes());
            header.into_iter().chain(values).collect::<Vec<u8>>()
        };
        file.extend_from_slice(b"PK\x03\x04");
        file.extend(fixed(20));
        file.extend_from_slice(name.as_bytes());
        file.extend(extra(&[size, size]));
        file.extend_from_slice(data);
        directory.extend_from_slice(b"PK\x01\x02\x2d\0");
        directory.extend(fixed(28));
        directory.extend_from_slice(&[0; 10]);
        directory.extend_from_slice(&u32::MAX.to_le_bytes());
        directory.extend_from_slice(name.as_bytes());
        directory.extend(extra(&[size, size, offset]));
    }
    let (offset, count) = (file.len() as u64, members.len() as u64);
    let length = directory.len() as u64;
    file.extend_from_slice(&directory);
    let end = file.len() as u64;
    file.extend_from_slice(b"PK\x06\x06");
    file.extend_from_slice(&44_u64.to_le_bytes());
    file.extend_from_slice(b"\x2d\0\x2d\0\0\0\0\0\0\0\0\0");
    file.extend(
        [count, count, length, offset]
            .map(u64::to_le_bytes)
            .concat(),
    );
    file.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    file.extend_from_slice(&end.to_le_bytes());
    file.extend_from_slice(b"\x01\0\0\0PK\x05\x06\0\0\0\0");
    file.extend_from_slice(&[0xff; 12]);
    file.extend_from_slice(&[0, 0]);
    file
}

/// A PyTorch archive of this pickle and a storage `0` of 8 zero bytes.
pub fn torch(pickle: &[u8]) -> Vec<u8> {
    torch_with(pickle, &[0; 8])
}

/// A PyTorch archive of this pickle and a storage `0` of these bytes.
pub fn torch_with(pickle: &[u8], storage: &[u8]) -> Vec<u8> {
    zip(&[
        ("a/data.pkl", pickle, 0),
        ("a/byteorder", b"little", 0),
        ("a/data/0", storage, 0),
    ])
}

/// A file of [`tensor_pickle`] and a storage `0` of 8 zero bytes.
pub fn torch_tensor(
    class: &str,
    elements: &str,
    offset: &str,
    size: &str,
    stride: &str,
) -> Vec<u8> {
    torch(&tensor_pickle(class, elements, offset, size, stride))
}

/// A pickled `{"w": tensor}` of `class` storage `0`, with these pickled numbers.
pub fn tensor_pickle(
    class: &str,
    elements: &str,
    offset: &str,
    size: &str,
    stride: &str,
) -> Vec<u8> {
    let item = tensor_item(["w", class, "0"], elements, offset, size, stride);
    [b"\x80\x02}", &item[..], b"s."].concat()
}

/// A pickled key and tensor, in front of the opcode that puts it into a dict; `key`, `class` of the
/// storage, and its number.
pub fn tensor_item(
    [key, class, storage]: [&str; 3],
    elements: &str,
    offset: &str,
    size: &str,
    stride: &str,
) -> Vec<u8> {
    let mut pickle = text(key);
    pickle.extend_from_slice(b"ctorch._utils\n_rebuild_tensor_v2\n((");
    pickle.extend(text("storage"));
    pickle.extend_from_slice(format!("ctorch\n{class}\n").as_bytes());
    pickle.extend(text(storage));
    pickle.extend(text("cpu"));
    pickle.extend(number(elements));
    pickle.extend_from_slice(b"tQ");
    pickle.extend(number(offset));
    for list in [size, stride] {
        pickle.push(b'(');
        pickle.extend(list.split_whitespace().flat_map(number));
        pickle.push(b't');
    }
    pickle.extend_from_slice(b"\x89}tR");
    pickle
}

/// A text as BINUNICODE.
pub fn text(text: &str) -> Vec<u8> {
    let length = (text.len() as u32).to_le_bytes();
    [b"X", &length[..], text.as_bytes()].concat()
}

/// An integer as LONG1.
fn number(text: &str) -> Vec<u8> {
    let value: i64 = text.parse().expect("a number");
    let mut bytes = vec![0x8a, 8];
    bytes.extend_from_slice(&value.to_le_bytes());
    bytes
}

/// The configuration, the text and the hint are checked together: they are read together.
macro_rules! assert_refused {
    ($bytes:expr, $config:pat, $text:expr, $hint:expr) => {{
        let (error, text) = $crate::checkpoints::util::refused(&$bytes[..]);
        assert!(matches!(error, $config), "{error:?}");
        assert!(text.contains($text), "{text}");
        assert!(text.contains("weights.bin"), "no path in: {text}");
        let hint = error.hint().unwrap_or_default();
        assert!(hint.contains($hint), "{hint}");
    }};
}

pub(crate) use assert_refused;
