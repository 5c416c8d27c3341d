//! What Pillow itself reads of a JPEG before libjpeg sees it. What it refuses there is refused.
//!
//! Source: Pillow 11's `JpegImagePlugin.py`.

use super::corrupt;
use super::input::Input;
use super::stream::unsupported_frame;
use crate::picture::PictureError;

/// Checks the segments up to the first scan.
pub(super) fn check(bytes: &[u8]) -> Result<(), PictureError> {
    let mut input = Input::new(bytes);
    input.take(2)?;
    let mut profiles: Vec<&[u8]> = Vec::new();
    loop {
        // Bytes that are no marker are passed over, and so are markers that are data.
        while input.byte()? != 0xff {}
        let mut kind = input.byte()?;
        while kind == 0xff {
            kind = input.byte()?;
        }
        match kind {
            0x00 => {}
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf | 0xde => {
                check_frame(segment(&mut input)?, kind)?;
                check_profiles(&mut profiles)?;
            }
            0xda => {
                segment(&mut input)?;
                return Ok(());
            }
            0xdb => check_quantisation(segment(&mut input)?)?,
            0xe0..=0xef => check_application(segment(&mut input)?, kind, &mut profiles)?,
            0xc4 | 0xcc | 0xdc | 0xdd | 0xdf | 0xfe => {
                segment(&mut input)?;
            }
            0xc8 | 0xd0..=0xd9 | 0xf0..=0xfd => {}
            _ => return Err(corrupt("something stands where a marker should")),
        }
    }
}

fn segment<'a>(input: &mut Input<'a>) -> Result<&'a [u8], PictureError> {
    let length = input.short()?;
    input.take(length.saturating_sub(2))
}

fn check_frame(data: &[u8], kind: u8) -> Result<(), PictureError> {
    let &[bits, _, _, _, _, components, ref rest @ ..] = data else {
        return Err(corrupt("its frame is too short"));
    };
    if bits != 8 {
        return Err(PictureError::Unsupported {
            what: format!("a JPEG of {bits} bits a sample"),
        });
    }
    if !matches!(components, 1 | 3 | 4) {
        return Err(PictureError::Unsupported {
            what: format!("a JPEG of {components} components"),
        });
    }
    if rest.len() % 3 != 0 {
        return Err(corrupt("its frame has another length than it says"));
    }
    if !matches!(kind, 0xc0..=0xc2 | 0xc9 | 0xca) {
        return Err(unsupported_frame(kind));
    }
    Ok(())
}

/// The first part of a colour profile must be long enough to have a number.
fn check_profiles(profiles: &mut Vec<&[u8]>) -> Result<(), PictureError> {
    profiles.sort_unstable();
    if profiles.first().is_some_and(|first| first.len() < 14) {
        return Err(corrupt("its colour profile is too short"));
    }
    profiles.clear();
    Ok(())
}

fn check_quantisation(mut data: &[u8]) -> Result<(), PictureError> {
    while let Some(kind) = data.first() {
        let length = if kind >> 4 == 0 { 65 } else { 129 };
        data = data
            .get(length..)
            .ok_or_else(|| corrupt("a quantisation table is too short"))?;
    }
    Ok(())
}

fn check_application<'a>(
    data: &'a [u8],
    kind: u8,
    profiles: &mut Vec<&'a [u8]>,
) -> Result<(), PictureError> {
    match kind {
        0xe0 if data.starts_with(b"JFIF") && data.len() < 7 => {
            return Err(corrupt("its JFIF header is too short"));
        }
        0xe2 if data.starts_with(b"ICC_PROFILE\0") => profiles.push(data),
        0xed if data.starts_with(b"Photoshop 3.0\0") => check_photoshop(data)?,
        0xee if data.starts_with(b"Adobe") && data.len() < 7 => {
            return Err(corrupt("its Adobe header is too short"));
        }
        _ => {}
    }
    Ok(())
}

/// Pillow goes through Photoshop's blocks, and stumbles when one has no name where one should be.
fn check_photoshop(data: &[u8]) -> Result<(), PictureError> {
    let mut at = 14;
    while data.get(at..at + 4) == Some(b"8BIM") {
        if data.get(at + 4..at + 6).is_none() {
            return Ok(());
        }
        let name = data.get(at + 6);
        let name = name.ok_or_else(|| corrupt("a Photoshop block is too short"))?;
        at += 7 + usize::from(*name);
        at += at & 1;
        let Some(size) = data.get(at..at + 4).and_then(|size| size.first_chunk()) else {
            return Ok(());
        };
        at += 4 + u32::from_be_bytes(*size) as usize;
        at += at & 1;
    }
    Ok(())
}
