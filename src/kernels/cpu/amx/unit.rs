//! The instructions of the tile unit.
#![allow(unsafe_code)] // Intrinsics for tiles are not in stable Rust, so they are written as assembly.

use std::arch::asm;
use std::marker::PhantomData;

use super::{COLUMNS, Line, Registers, SIDE, reach};
use crate::kernels::cpu::isa::{Isa, Set};

/// This thread's tile registers, configured. They are the thread's own, so that the value stays on it.
pub(in crate::kernels::cpu) struct Unit(PhantomData<*const ()>);

/// What LDTILECFG reads: the shape of each register.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

/// All eight registers as large as they are: sixteen rows of 64 bytes.
static WHOLE: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Bytes from a row of sums to the next.
const SUMS_STRIDE: usize = COLUMNS * size_of::<f32>();

impl Unit {
    /// Configures the registers of this thread. There is one unit on a thread at a time.
    ///
    /// # Panics
    /// When the instructions are not the unit's.
    pub fn configured(isa: Isa) -> Self {
        assert_eq!(isa.set(), Set::Amx);
        // SAFETY: the set exists only where the processor has the unit and the system permits it.
        unsafe {
            asm!("ldtilecfg [{}]", in(reg) &raw const WHOLE, options(nostack, preserves_flags, readonly));
        }
        Self(PhantomData)
    }

    /// Loads register T with 16 lines that are `stride` bytes apart.
    ///
    /// # Safety
    /// All of them are in memory that may be read.
    #[inline(always)]
    unsafe fn load_from<const T: usize>(&mut self, first: *const u8, stride: usize) {
        // SAFETY: the registers are configured, and the caller promises the memory.
        unsafe {
            asm!(
                "tileloadd tmm{tile}, [{first} + {stride}*1]",
                tile = const T,
                first = in(reg) first,
                stride = in(reg) stride,
                options(nostack, preserves_flags, readonly)
            );
        }
    }
}

impl Drop for Unit {
    /// Without tiles in use, the system need not save them when it gives the core to others.
    fn drop(&mut self) {
        // SAFETY: the registers are configured.
        unsafe { asm!("tilerelease", options(nostack, preserves_flags, nomem)) };
    }
}

impl Registers for Unit {
    #[inline(always)]
    fn load<const T: usize>(&mut self, lines: &[Line]) {
        assert!(lines.len() >= reach(2, 1));
        // SAFETY: the slice has all lines.
        unsafe { self.load_from::<T>(lines.as_ptr().cast(), 2 * size_of::<Line>()) };
    }

    #[inline(always)]
    fn load_once<const T: usize>(&mut self, lines: &[Line]) {
        assert!(lines.len() >= SIDE);
        // SAFETY: the registers are configured, and the slice has all lines.
        unsafe {
            asm!(
                "tileloaddt1 tmm{tile}, [{first} + {stride}*1]",
                tile = const T,
                first = in(reg) lines.as_ptr(),
                stride = in(reg) size_of::<Line>(),
                options(nostack, preserves_flags, readonly)
            );
        }
    }

    #[inline(always)]
    fn clear<const T: usize>(&mut self) {
        // SAFETY: the registers are configured.
        unsafe {
            asm!("tilezero tmm{tile}", tile = const T, options(nostack, preserves_flags, nomem))
        };
    }

    #[inline(always)]
    fn load_sums<const T: usize>(&mut self, sums: &[f32]) {
        assert!(sums.len() >= reach(COLUMNS, SIDE));
        // SAFETY: the slice has all sums.
        unsafe { self.load_from::<T>(sums.as_ptr().cast(), SUMS_STRIDE) };
    }

    #[inline(always)]
    fn store_sums<const T: usize>(&self, sums: &mut [f32]) {
        assert!(sums.len() >= reach(COLUMNS, SIDE));
        // SAFETY: the registers are configured, and the slice has all sums.
        unsafe {
            asm!(
                "tilestored [{first} + {stride}*1], tmm{tile}",
                tile = const T,
                first = in(reg) sums.as_mut_ptr(),
                stride = in(reg) SUMS_STRIDE,
                options(nostack, preserves_flags)
            );
        }
    }

    #[inline(always)]
    fn multiply<const C: usize, const A: usize, const B: usize>(&mut self) {
        // SAFETY: the registers are configured.
        unsafe {
            asm!(
                "tdpbf16ps tmm{c}, tmm{a}, tmm{b}",
                c = const C,
                a = const A,
                b = const B,
                options(nostack, preserves_flags, nomem)
            );
        }
    }
}
