//! Checkpoints of the golden weights as trainers save them: nested, prefixed, incomplete.

use half::f16;
use safetensors::SafeTensors;

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
    let bytes = std::fs::read(fixture("golden/tiny.safetensors")).expect("the golden checkpoint");
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

/// What `torch.save({under: tensors, beside: 3}, file)` writes.
fn saved(under: &str, tensors: &[Stored], beside: &str) -> TempFile {
    let mut pickle = [b"\x80\x02}", &text(under)[..], b"}"].concat();
    let mut members = Vec::new();
    for (number, tensor) in tensors.iter().enumerate() {
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
    pickle.extend([b"s", &text(beside)[..], b"K\x03s."].concat());
    let first = [
        ("a/data.pkl", &pickle[..], 0),
        ("a/byteorder", b"little", 0),
    ];
    let storages = members.iter();
    let storages = storages.map(|(name, data)| (name.as_str(), &data[..], 0));
    TempFile::new(&zip(&first.into_iter().chain(storages).collect::<Vec<_>>()))
}
