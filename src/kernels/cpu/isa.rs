//! Which instructions the machine has.
#![allow(unsafe_code)] // A function compiled for some instructions may be called only where they are.

use super::amx::detect;
use super::math::{Fused, FusedBf16, Separate, Vectors};

/// A set of instructions that this machine was found to have. That is what makes it safe to call
/// the functions compiled for it, and why there is no way to make one up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Set);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Set {
    /// Tiles of bfloat16; otherwise AVX-512 with the bfloat16 instructions.
    Amx,
    /// AVX-512 with the bfloat16 instructions: the dot product, and rounding.
    Avx512Bf16,
    Avx512,
    Avx2,
    Portable,
    /// A model of the tiles; otherwise portable.
    TileModel,
}

/// Work on slices that the compiler turns into vector instructions where it is inlined.
pub(super) trait Work {
    type Output;
    /// Whether AVX-512's instructions for bfloat16 are of use for it, where they are.
    const BY_BF16: bool = false;
    /// Whether there is such work by AVX-512's instructions without those, by AVX2's, and by portable code.
    /// What is never asked for is not compiled.
    const BY_AVX512: bool = true;
    const BY_AVX2: bool = true;
    const PORTABLE: bool = true;
    /// Must be `#[inline(always)]`. `M` is what the instructions do for it.
    fn run<M: Vectors>(self) -> Self::Output;
}

impl Isa {
    /// What every machine has.
    pub fn portable() -> Self {
        Self(Set::Portable)
    }

    /// The tile unit in plain arithmetic: what is built on it can be tested on every machine.
    pub fn tile_model() -> Self {
        Self(Set::TileModel)
    }

    /// Whether it multiplies bfloat16 in tiles.
    pub(super) fn has_tiles(self) -> bool {
        matches!(self.0, Set::Amx | Set::TileModel)
    }

    /// All that the machine has, the widest first.
    pub fn available() -> Vec<Self> {
        let mut sets = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = avx2
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            let avx512_bf16 = avx512 && is_x86_feature_detected!("avx512bf16");
            if avx512_bf16 && detect::tiles() == Ok(true) {
                sets.push(Self(Set::Amx));
            }
            if avx512_bf16 {
                sets.push(Self(Set::Avx512Bf16));
            }
            if avx512 {
                sets.push(Self(Set::Avx512));
            }
            if avx2 {
                sets.push(Self(Set::Avx2));
            }
        }
        sets.push(Self::portable());
        sets
    }

    /// As users write it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Amx => "amx-bf16",
            Set::Avx512Bf16 => "avx512-bf16",
            Set::Avx512 => "avx512",
            Set::Avx2 => "avx2",
            Set::Portable => "portable",
            Set::TileModel => "tile-model",
        }
    }

    pub(super) fn set(self) -> Set {
        self.0
    }

    /// Runs work that was compiled for the instructions.
    pub(super) fn run<W: Work>(self, work: W) -> W::Output {
        match self.0 {
            // SAFETY: `available` found the instructions before it made the value.
            #[cfg(target_arch = "x86_64")]
            Set::Amx | Set::Avx512Bf16 if W::BY_BF16 => unsafe { avx512_bf16(work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Amx | Set::Avx512Bf16 | Set::Avx512 if W::BY_AVX512 => unsafe { avx512(work) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 if W::BY_AVX2 => unsafe { avx2(work) },
            _ if W::PORTABLE => work.run::<Separate>(),
            _ => unreachable!("work that is not for {}", self.name()),
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512bf16,avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512_bf16<W: Work>(work: W) -> W::Output {
    work.run::<FusedBf16>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn avx512<W: Work>(work: W) -> W::Output {
    work.run::<Fused>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn avx2<W: Work>(work: W) -> W::Output {
    work.run::<Fused>()
}
