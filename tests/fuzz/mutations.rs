//! The same damage as `tests/fixtures/pictures/mutations.py` does, to the byte.

/// SplitMix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.below(256) as u8
    }
}

/// The same with one or two faults, half of them at the start.
pub fn mutated(data: &[u8], seed: u64) -> Vec<u8> {
    let mut random = Random::new(seed);
    let mut data = data.to_vec();
    for _ in 0..1 + random.below(2) {
        if data.is_empty() {
            break;
        }
        let kind = random.below(9);
        let end = match random.below(2) {
            0 => data.len().min(512),
            _ => data.len(),
        };
        let at = random.below(end);
        match kind {
            0 => data[at] ^= 1 << random.below(8),
            1 => data[at] = random.byte(),
            2 => {
                let end = data.len().min(at + 4);
                data[at..end]
                    .iter_mut()
                    .for_each(|byte| *byte = random.byte());
            }
            3 => {
                let new: Vec<u8> = (0..1 + random.below(8)).map(|_| random.byte()).collect();
                data.splice(at..at, new);
            }
            4 => {
                let end = data.len().min(at + 1 + random.below(16));
                data.drain(at..end);
            }
            5 => {
                let end = data.len().min(at + 1 + random.below(64));
                data[at..end].fill(0);
            }
            6 => data.truncate(at),
            7 => {
                let end = data.len().min(at + 1 + random.below(32));
                let part = data[at..end].to_vec();
                let to = random.below(data.len());
                data.splice(to..to, part);
            }
            _ => {
                let value = 255 * random.below(2) as u8;
                let end = data.len().min(at + 2);
                data[at..end].fill(value);
            }
        }
    }
    if data.starts_with(b"\x89PNG") && random.below(2) == 1 {
        set_checksums(&mut data);
    }
    data
}

/// Gives the chunks of a PNG the checksums of their content, as far as there are whole chunks.
fn set_checksums(data: &mut [u8]) {
    let mut at = 8;
    while at + 12 <= data.len() {
        let length = u32::from_be_bytes(data[at..at + 4].try_into().unwrap()) as usize;
        let end = at + 8 + length;
        if end + 4 > data.len() {
            break;
        }
        let checksum = crc32fast::hash(&data[at + 4..end]);
        data[end..end + 4].copy_from_slice(&checksum.to_be_bytes());
        at = end + 4;
    }
}
