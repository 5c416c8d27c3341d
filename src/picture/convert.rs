//! Pillow's conversions of one pixel to another kind.

/// The product of two values of which 255 is one.
#[inline(always)]
pub(super) fn multiply(a: u8, b: u8) -> u8 {
    let product = u32::from(a) * u32::from(b) + 128;
    (((product >> 8) + product) >> 8) as u8
}

/// Of an ink and black to a colour, by `n - ink * n / 255` with `n = 255 - black`.
#[inline(always)]
pub(super) fn ink_to_rgb(ink: u8, black: u8) -> u8 {
    let n = 255 - black;
    n - multiply(ink, n)
}
