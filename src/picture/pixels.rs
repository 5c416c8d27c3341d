//! Decoded pixels, as Pillow has them before they become red, green and blue.

use super::convert::ink_to_rgb;

/// How the pixels of a picture are to be resized before they are converted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Colours or grays: as they are.
    #[default]
    Colours,
    /// Entries of a palette, or bits, between which there is nothing: each pixel is one of them.
    Steps,
    /// Colours with an alpha, by which they are multiplied meanwhile.
    Alpha,
    /// Cyan, magenta, yellow, and black.
    Inks,
}

/// A decoded picture, row by row.
#[derive(Debug, Default)]
pub(super) struct Pixels {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) kind: Kind,
    /// Red, green and blue, or the first three inks: `height * width * 3` bytes.
    pub(super) colours: Vec<u8>,
    /// Alpha or black, of kinds that have it: `height * width` bytes.
    pub(super) fourth: Vec<u8>,
}

impl Pixels {
    /// Forgets the last picture and begins one of that size.
    pub(super) fn begin(&mut self, width: usize, height: usize, kind: Kind) {
        (self.width, self.height, self.kind) = (width, height, kind);
        self.colours.clear();
        self.fourth.clear();
    }

    /// Takes four values of each pixel apart.
    pub(super) fn split(&mut self, values: &[u8]) {
        let (four, _) = values.as_chunks::<4>();
        self.colours
            .extend(four.iter().flat_map(|[a, b, c, _]| [*a, *b, *c]));
        self.fourth.extend(four.iter().map(|four| four[3]));
    }

    /// Drops alpha, and makes colours of inks, as `convert("RGB")` does.
    pub(super) fn convert(&mut self) {
        if self.kind == Kind::Inks {
            to_rgb(&mut self.colours, &self.fourth);
        }
        self.kind = Kind::Colours;
    }

    /// Bytes that it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.colours.capacity() + self.fourth.capacity()
    }
}

/// Makes colours of inks; `black` has a value for each pixel.
pub(super) fn to_rgb(inks: &mut [u8], black: &[u8]) {
    for (pixel, black) in inks.as_chunks_mut::<3>().0.iter_mut().zip(black) {
        *pixel = pixel.map(|ink| ink_to_rgb(ink, *black));
    }
}
