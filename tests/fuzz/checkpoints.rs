use std::collections::BTreeMap;

use candle_core::{DType, Device};
use uta_eval::checkpoint::Checkpoint;

use super::mutations::mutated;
use super::{files, print, rounds};
use crate::support::Folder;

#[test]
fn damaged_checkpoints_are_read_or_refused() {
    let folder = Folder::new();
    let mut counts = BTreeMap::new();
    let mut refusals = BTreeMap::new();
    for (index, (name, bytes)) in files("checkpoints", &["pt", "safetensors"])
        .into_iter()
        .enumerate()
    {
        for round in 0..rounds(30) {
            let seed = 2_000_000_000 + 1_000_000 * index as u64 + round;
            let path = folder.write(&name, mutated(&bytes, seed));
            let way = match Checkpoint::open(&path) {
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    *refusals.entry(name.clone()).or_insert(0) += 1;
                    "refused"
                }
                Ok(checkpoint) => {
                    let names: Vec<String> = checkpoint.entries().map(|e| e.name.into()).collect();
                    let tensors = names.iter().map(|name| {
                        let entry = checkpoint.get(name).unwrap();
                        let shape = entry.shape.to_vec();
                        let tensor = checkpoint.tensor(name, DType::F32, &Device::Cpu)?;
                        assert_eq!(tensor.dims(), shape, "{name}, seed {seed}");
                        Ok::<_, uta_eval::checkpoint::CheckpointError>(())
                    });
                    if tensors.filter(Result::is_err).count() > 0 {
                        "opened, with tensors that are refused"
                    } else {
                        "read"
                    }
                }
            };
            *counts.entry(way.to_string()).or_insert(0) += 1;
        }
    }
    print("damaged checkpoints", &counts);
    assert!(counts["refused"] > 0 && counts["read"] > 0);
    assert!(refusals.len() > 10, "{refusals:?}");
}
