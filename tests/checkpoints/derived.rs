//! Checkpoints of the golden weights as trainers save them: nested, prefixed, incomplete.

use std::path::Path;

use half::f16;
use safetensors::SafeTensors;

use crate::support::demo;

use super::util::{TempFile, fixture, tensor_item, text, zip};

/// The key that [`missing_key`] lacks.
pub const MISSING: &str = "visual.blocks.1.mlp.w2.bias";

/// A tensor whose storage is its own.
struct Stored {
    name: String,
    shape: Vec<usize>,
    class: &'static str,
    data: Vec<u8>,
}

/// All tensors of the golden checkpoint.
fn golden() -> Vec<Stored> {
    stored(&fixture("golden/tiny.safetensors"))
}

/// All tensors of a file in f16.
fn stored(path: &Path) -> Vec<Stored> {
    let bytes = std::fs::read(path).expect("a checkpoint");
    let tensors = SafeTensors::deserialize(&bytes).expect("a good file");
    let stored = |(name, tensor): (String, safetensors::tensor::TensorView<'_>)| Stored {
        name,
        shape: tensor.shape().into(),
        class: "HalfStorage",
        data: tensor.data().into(),
    };
    tensors.tensors().into_iter().map(stored).collect()
}

/// Under `state_dict` beside an epoch, every key behind `module.`; the scale of the logits in f32.
pub fn nested_module() -> TempFile {
    let mut tensors = golden();
    for tensor in &mut tensors {
        if tensor.name == "logit_scale" {
            let scale = f16::from_le_bytes([tensor.data[0], tensor.data[1]]);
            tensor.data = scale.to_f32().to_le_bytes().into();
            tensor.class = "FloatStorage";
        }
        tensor.name.insert_str(0, "module.");
    }
    saved("state_dict", &tensors, "epoch")
}

/// Under `model` beside a step, without [`MISSING`].
pub fn missing_key() -> TempFile {
    let mut tensors = golden();
    tensors.retain(|tensor| tensor.name != MISSING);
    saved("model", &tensors, "step")
}

/// The demo's weights as a moving average, under `model_ema` with `module.`, beside others under `model`.
pub fn demo_with_average() -> TempFile {
    let average = stored(&demo("uta_demo.safetensors")).into_iter();
    let average = average.map(|tensor| Stored {
        name: format!("module.{}", tensor.name),
        ..tensor
    });
    let mut model = stored(&demo("uta_demo.safetensors"));
    for tensor in &mut model {
        if tensor.name == "visual.head.weight" {
            // The features of all pictures the other way round.
            for sign in tensor.data.iter_mut().skip(1).step_by(2) {
                *sign ^= 0x80;
            }
        }
    }
    let dicts = [
        ("model", &model[..]),
        ("model_ema", &average.collect::<Vec<_>>()),
    ];
    saved_all(&dicts, "epoch")
}

/// What `torch.save({under: tensors, beside: 3}, file)` writes.
fn saved(under: &str, tensors: &[Stored], beside: &str) -> TempFile {
    saved_all(&[(under, tensors)], beside)
}

/// As [`saved`], with several dictionaries.
fn saved_all(dicts: &[(&str, &[Stored])], beside: &str) -> TempFile {
    let mut pickle = b"\x80\x02}".to_vec();
    let mut members = Vec::new();
    for (under, tensors) in dicts {
        pickle.extend([&text(under)[..], b"}"].concat());
        save_into(&mut pickle, &mut members, tensors);
        pickle.push(b's');
    }
    pickle.extend([&text(beside)[..], b"K\x03s."].concat());
    let first = [
        ("a/data.pkl", &pickle[..], 0),
        ("a/byteorder", b"little", 0),
    ];
    let storages = members.iter();
    let storages = storages.map(|(name, data): &(String, &Vec<u8>)| (name.as_str(), &data[..], 0));
    TempFile::new(&zip(&first.into_iter().chain(storages).collect::<Vec<_>>()))
}

/// Sets tensors in a dictionary that is pickled so far.
fn save_into<'a>(
    pickle: &mut Vec<u8>,
    members: &mut Vec<(String, &'a Vec<u8>)>,
    tensors: &'a [Stored],
) {
    for tensor in tensors {
        let number = members.len();
        let Stored {
            name,
            shape,
            class,
            data,
        } = tensor;
        let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>();
        let strides: Vec<usize> = (0..shape.len()).map(stride).collect();
        let list = |list: &[usize]| {
            let numbers: Vec<String> = list.iter().map(ToString::to_string).collect();
            numbers.join(" ")
        };
        let elements = shape.iter().product::<usize>().to_string();
        let storage = number.to_string();
        let key = [name.as_str(), class, &storage];
        pickle.extend(tensor_item(
            key,
            &elements,
            "0",
            &list(shape),
            &list(&strides),
        ));
        pickle.push(b's');
        members.push((format!("a/data/{number}"), data));
    }
}
