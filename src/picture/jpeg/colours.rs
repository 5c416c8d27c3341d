//! From samples to the colours of a strip's pixels.
//!
//! Source: libjpeg-turbo's `jdcolor.c`.

use std::ops::Range;

use pulp::WithSimd;

use super::upsampling::Channel;
use super::{Output, Space};
use crate::picture::strip::{LANES, Lanes};

/// A strip to upsample and convert, as one piece of work to compile for several processors.
pub(super) struct Emission<'a> {
    pub(super) channels: &'a mut [Channel],
    pub(super) lanes: &'a mut [Lanes],
    pub(super) columns: Range<usize>,
    pub(super) space: Space,
    pub(super) output: Output,
    pub(super) top: bool,
    pub(super) bottom: bool,
}

impl WithSimd for Emission<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        self.emit();
    }
}

impl Emission<'_> {
    /// With the best instructions of this processor.
    pub(super) fn run(self) {
        #[cfg(target_arch = "x86_64")]
        if let Some(v3) = pulp::x86::V3::try_new() {
            v3.vectorize(vector::Emission { v3, emission: self });
            return;
        }
        pulp::Arch::new().dispatch(self);
    }

    /// As the compiler makes vectors of it.
    #[inline(always)]
    fn emit(self) {
        let Self {
            channels,
            lanes,
            columns,
            ..
        } = self;
        for channel in channels.iter_mut() {
            channel.upsample(&columns, self.top, self.bottom);
        }
        let channels = &*channels;
        let (three, _) = lanes.as_chunks_mut::<3>();
        match (self.space, channels) {
            (Space::Gray, [gray]) => {
                for (out, gray) in three.iter_mut().zip(gray.pixels(&columns)) {
                    *out = [*gray; 3];
                }
            }
            (Space::Rgb, [red, green, blue]) => {
                let [red, green, blue] = [red, green, blue].map(|c| c.pixels(&columns));
                for (out, ((red, green), blue)) in
                    three.iter_mut().zip(red.iter().zip(green).zip(blue))
                {
                    *out = [*red, *green, *blue];
                }
            }
            (Space::YCbCr, [y, cb, cr]) => {
                let [y, cb, cr] = [y, cb, cr].map(|c| c.pixels(&columns));
                for (out, ((y, cb), cr)) in three.iter_mut().zip(y.iter().zip(cb).zip(cr)) {
                    *out = rgb(y, cb, cr);
                }
            }
            (Space::Cmyk | Space::Ycck, [c, m, y, k]) => {
                let [c, m, y, k] = [c, m, y, k].map(|c| c.pixels(&columns));
                let values = c.iter().zip(m).zip(y).zip(k);
                match self.output {
                    Output::Rgb => {
                        for (out, (((c, m), y), k)) in three.iter_mut().zip(values) {
                            *out = inks_to_rgb(&inks(self.space, c, m, y), k);
                        }
                    }
                    Output::Inks => {
                        let (four, _) = lanes.as_chunks_mut::<4>();
                        for (out, (((c, m), y), k)) in four.iter_mut().zip(values) {
                            let [c, m, y] = inks(self.space, c, m, y);
                            *out = [c, m, y, *k].map(|lanes| lanes.map(|v| 255 - v));
                        }
                    }
                }
            }
            _ => {} // never: each space has its number of components
        }
    }
}

/// Luminance and colour differences as red, green and blue: [`pixel`] in 16 bits.
#[inline(always)]
fn rgb(y: &Lanes, cb: &Lanes, cr: &Lanes) -> [Lanes; 3] {
    let mut rgb = [[0; LANES]; 3];
    // The upper half of a product of 16 bits, as processors have it.
    let high = |a: i16, b: i16| ((i32::from(a) * i32::from(b)) >> 16) as i16;
    let clip = |value: i16| value.clamp(0, 255) as u8;
    for i in 0..LANES {
        let [y, cb, cr] = [
            i16::from(y[i]),
            i16::from(cb[i]) - 128,
            i16::from(cr[i]) - 128,
        ];
        // 1.402 is 1 + 26345 / 2^16, and 1.772 is 2 - 14942 / 2^16, both rounded by a half.
        let red = y + cr + ((high(2 * cr, 26_345) + 1) >> 1);
        let blue = y + 2 * cb + ((high(2 * cb, -14_942) + 1) >> 1);
        let green = -22_554 * i32::from(cb) + 18_734 * i32::from(cr) + (1 << 15);
        let green = y - cr + (green >> 16) as i16;
        (rgb[0][i], rgb[1][i], rgb[2][i]) = (clip(red), clip(green), clip(blue));
    }
    rgb
}

/// Luminance and colour differences as red, green and blue (`jdcolor.c`).
#[inline(always)]
pub(super) fn pixel(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let [y, cb, cr] = [i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128];
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

/// The first three inks, from what a file has.
#[inline(always)]
fn inks(space: Space, c: &Lanes, m: &Lanes, y: &Lanes) -> [Lanes; 3] {
    if space == Space::Ycck {
        rgb(c, m, y).map(|lanes| lanes.map(|value| 255 - value))
    } else {
        [*c, *m, *y]
    }
}

#[inline(always)]
fn inks_to_rgb(inks: &[Lanes; 3], black: &Lanes) -> [Lanes; 3] {
    let mut rgb = [[0; LANES]; 3];
    for (out, ink) in rgb.iter_mut().zip(inks) {
        for i in 0..LANES {
            // A file has them inverted.
            out[i] = crate::picture::convert::ink_to_rgb(255 - ink[i], 255 - black[i]);
        }
    }
    rgb
}

#[cfg(target_arch = "x86_64")]
mod vector {
    use std::arch::x86_64::{__m128i, __m256i};
    use std::ops::Range;

    use pulp::x86::V3;
    use pulp::{NullaryFnOnce, cast};

    use super::super::Space;
    use super::super::upsampling::{Channel, Upsampling};
    use crate::picture::strip::{LANES, Lanes};

    /// With AVX2, and the commonest pictures without a detour over memory.
    pub(super) struct Emission<'a> {
        pub(super) v3: V3,
        pub(super) emission: super::Emission<'a>,
    }

    impl NullaryFnOnce for Emission<'_> {
        type Output = ();

        #[inline(always)]
        fn call(self) {
            let Self { v3, emission } = self;
            if emission.space == Space::YCbCr
                && let [y, cb, cr] = &*emission.channels
                && y.upsampling == Some(Upsampling::None)
                && cb.upsampling == cr.upsampling
            {
                let halved = Halved {
                    v3,
                    y,
                    cb,
                    cr,
                    columns: emission.columns.clone(),
                    top: emission.top,
                    bottom: emission.bottom,
                };
                match cb.upsampling {
                    Some(Upsampling::Both) => return halved.emit::<true>(emission.lanes),
                    Some(Upsampling::Across) => return halved.emit::<false>(emission.lanes),
                    _ => {}
                }
            }
            emission.emit();
        }
    }

    /// Luminance, and half as many colour differences across.
    struct Halved<'a> {
        v3: V3,
        y: &'a Channel,
        cb: &'a Channel,
        cr: &'a Channel,
        columns: Range<usize>,
        top: bool,
        bottom: bool,
    }

    impl Halved<'_> {
        /// Both colour differences of a column; where there are half as many `DOWN`, their sums for
        /// twice as many rows.
        #[inline(always)]
        fn differences<const DOWN: bool>(&self, at: usize) -> [__m256i; 2] {
            let [cb, cr] = [self.cb, self.cr];
            [self.rows::<DOWN>(cb, at), self.rows::<DOWN>(cr, at)]
        }

        #[inline(always)]
        fn rows<const DOWN: bool>(&self, channel: &Channel, at: usize) -> __m256i {
            let lanes = channel.current[at];
            if !DOWN {
                return self.v3.avx2._mm256_cvtepu8_epi16(cast(lanes));
            }
            let above = if self.top {
                lanes[0]
            } else {
                channel.above[at]
            };
            let below = if self.bottom {
                lanes[7]
            } else {
                channel.next[at][0]
            };
            sum(self.v3, lanes, above, below)
        }

        /// Colour differences, from zero, of a column of pixels that lies between two columns of them.
        /// Even columns are rounded in another way than odd ones.
        #[inline(always)]
        fn between<const DOWN: bool, const ODD: bool>(
            &self,
            near: [__m256i; 2],
            far: [__m256i; 2],
        ) -> [__m256i; 2] {
            let avx2 = self.v3.avx2;
            let mut between = near;
            for (near, far) in between.iter_mut().zip(far) {
                let twice = avx2._mm256_add_epi16(*near, *near);
                let sum = avx2._mm256_add_epi16(avx2._mm256_add_epi16(*near, twice), far);
                *near = if DOWN {
                    let round: i16 = if ODD { 7 } else { 8 };
                    let sum = avx2._mm256_add_epi16(sum, cast([round - (128 << 4); 16]));
                    avx2._mm256_srai_epi16::<4>(sum)
                } else {
                    let round: i16 = if ODD { 2 } else { 1 };
                    let sum = avx2._mm256_add_epi16(sum, cast([round - (128 << 2); 16]));
                    avx2._mm256_srai_epi16::<2>(sum)
                };
            }
            between
        }

        /// Writes the pixels of two columns at a time. `DOWN` is whether there are half as many colour
        /// differences down, too.
        #[inline(always)]
        fn emit<const DOWN: bool>(&self, lanes: &mut [Lanes]) {
            let (v3, avx2) = (self.v3, self.v3.avx2);
            let first = self.cb.blocks.start * 8;
            let first_y = self.y.blocks.start * 8;
            let end = self.cb.width - first;
            let samples = self.columns.start / 2 - first..(self.columns.end - 1) / 2 + 1 - first;
            let mut before = self.differences::<DOWN>(samples.start.saturating_sub(1));
            let mut here = self.differences::<DOWN>(samples.start);
            let (three, _) = lanes.as_chunks_mut::<3>();
            for at in samples {
                let after = if at + 1 < end {
                    self.differences::<DOWN>(at + 1)
                } else {
                    here
                };
                let x = 2 * (at + first);
                let y = &self.y.current[x - first_y..x - first_y + 2];
                let [cb, cr] = self.between::<DOWN, false>(here, before);
                let even = rgb(v3, avx2._mm256_cvtepu8_epi16(cast(y[0])), cb, cr);
                let [cb, cr] = self.between::<DOWN, true>(here, after);
                let odd = rgb(v3, avx2._mm256_cvtepu8_epi16(cast(y[1])), cb, cr);
                let mut pixels = [[[0; LANES]; 2]; 3];
                for (pixels, (even, odd)) in pixels.iter_mut().zip(even.into_iter().zip(odd)) {
                    let packed = avx2._mm256_packus_epi16(even, odd);
                    // Packing works within halves.
                    *pixels = cast(avx2._mm256_permute4x64_epi64::<0b11_01_10_00>(packed));
                }
                // The first and the last column may lie beside the window.
                let place = x.wrapping_sub(self.columns.start);
                for i in 0..2 {
                    if let Some(out) = three.get_mut(place.wrapping_add(i)) {
                        *out = pixels.map(|columns| columns[i]);
                    }
                }
                (before, here) = (here, after);
            }
        }
    }

    /// Three times each of eight samples and once the one above, and the one below.
    #[inline(always)]
    fn sum(v3: V3, lanes: Lanes, above: u8, below: u8) -> __m256i {
        const ABOVE: i8 = 15;
        const BELOW: i8 = 8;
        // Pairs of the nearer sample and the further one.
        #[rustfmt::skip]
        const PAIRS: [i8; 32] = [
            0, ABOVE, 0, 1, 1, 0, 1, 2, 2, 1, 2, 3, 3, 2, 3, 4,
            4, 3, 4, 5, 5, 4, 5, 6, 6, 5, 6, 7, 7, 6, 7, BELOW,
        ];
        let lanes: __m128i = cast(lanes);
        let lanes = v3
            .sse4_1
            ._mm_insert_epi8::<{ ABOVE as i32 }>(lanes, i32::from(above));
        let lanes = v3
            .sse4_1
            ._mm_insert_epi8::<{ BELOW as i32 }>(lanes, i32::from(below));
        let pairs = v3
            .avx2
            ._mm256_shuffle_epi8(v3.avx2._mm256_broadcastsi128_si256(lanes), cast(PAIRS));
        v3.avx2._mm256_maddubs_epi16(pairs, cast([[3i8, 1]; 16]))
    }

    /// Colours of luminance and colour differences from zero, not yet clipped.
    #[inline(always)]
    fn rgb(v3: V3, y: __m256i, cb: __m256i, cr: __m256i) -> [__m256i; 3] {
        let avx2 = v3.avx2;
        // 1.402 is 1 + 13172 / 2^15, and 1.772 is 2 - 7471 / 2^15.
        let red = avx2._mm256_mulhrs_epi16(cr, cast([13_172i16; 16]));
        let red = avx2._mm256_add_epi16(avx2._mm256_add_epi16(y, cr), red);
        let blue = avx2._mm256_mulhrs_epi16(cb, cast([-7_471i16; 16]));
        let twice = avx2._mm256_add_epi16(cb, cb);
        let blue = avx2._mm256_add_epi16(avx2._mm256_add_epi16(y, twice), blue);
        let mut halves = [
            avx2._mm256_unpacklo_epi16(cb, cr),
            avx2._mm256_unpackhi_epi16(cb, cr),
        ];
        for half in &mut halves {
            let sum = avx2._mm256_madd_epi16(*half, cast([[-22_554i16, 18_734]; 8]));
            let sum = avx2._mm256_add_epi32(sum, cast([1i32 << 15; 8]));
            *half = avx2._mm256_srai_epi32::<16>(sum);
        }
        let green = avx2._mm256_packs_epi32(halves[0], halves[1]);
        let green = avx2._mm256_add_epi16(avx2._mm256_sub_epi16(y, cr), green);
        [red, green, blue]
    }
}

#[cfg(test)]
mod tests {
    use super::super::upsampling::Upsampling;
    use super::*;

    #[test]
    fn colours_in_sixteen_bits_are_the_same() {
        for cb in 0..=255 {
            for cr in 0..=255 {
                let y: Lanes = std::array::from_fn(|i| (i * 17) as u8);
                let all = rgb(&y, &[cb; LANES], &[cr; LANES]);
                for i in 0..LANES {
                    let one = [all[0][i], all[1][i], all[2][i]];
                    assert_eq!(one, pixel(y[i], cb, cr), "{} {cb} {cr}", y[i]);
                }
            }
        }
    }

    #[test]
    fn every_processor_gives_the_same_pixels() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        for (upsampling, h) in [
            (Upsampling::None, 1),
            (Upsampling::Across, 2),
            (Upsampling::Both, 2),
        ] {
            // All windows of two rows of 24 luminances, of which the last block has four.
            for (start, end, edge) in (0..20)
                .flat_map(|start| (start + 1..=20).map(move |end| (start, end)))
                .flat_map(|(start, end)| (0..4).map(move |edge| (start, end, edge)))
            {
                let mut channel = |upsampling, h, width: usize| {
                    let mut columns = || -> Vec<Lanes> {
                        let column = || std::array::from_fn(|_| random());
                        std::iter::repeat_with(column).take(24).collect()
                    };
                    Channel {
                        upsampling: Some(upsampling),
                        h,
                        blocks: 0..3,
                        width,
                        next: columns(),
                        current: columns(),
                        above: columns().iter().map(|lanes| lanes[3]).collect(),
                        sums: vec![[0; LANES]; 24],
                        pixels: vec![[0; LANES]; end - start],
                        ..Channel::default()
                    }
                };
                let mut channels = [
                    channel(Upsampling::None, 1, 20),
                    channel(upsampling, h, 20 / h),
                    channel(upsampling, h, 20 / h),
                ];
                let mut pixels = [(); 2].map(|()| vec![[0; LANES]; 3 * (end - start)]);
                for (best, lanes) in pixels.iter_mut().enumerate() {
                    let emission = Emission {
                        channels: &mut channels,
                        lanes,
                        columns: start..end,
                        space: Space::YCbCr,
                        output: Output::Rgb,
                        top: edge & 1 == 1,
                        bottom: edge & 2 == 2,
                    };
                    if best == 1 {
                        emission.run();
                    } else {
                        emission.emit();
                    }
                }
                assert_eq!(pixels[0], pixels[1], "{upsampling:?} {start}..{end} {edge}");
            }
        }
    }
}
