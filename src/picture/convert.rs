//! Pillow's conversions of one pixel to another kind.

/// Of an ink and black to a colour, by `n - ink * n / 255` with `n = 255 - black`.
#[inline(always)]
pub(super) fn ink_to_rgb(ink: u8, black: u8) -> u8 {
    let n = i32::from(255 - black);
    let product = i32::from(ink) * n + 128;
    (n - (((product >> 8) + product) >> 8)).clamp(0, 255) as u8
}
