//! Whether there is a tile unit that may be used.
#![allow(unsafe_code)] // Asking the processor and the system is only possible in assembly and by a system call.

/// Why the processor's tile unit cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoTiles {
    /// The system does not keep its registers for programs.
    NotEnabled,
    /// The system does not give them to this program; the number of the error.
    NotPermitted(i32),
}

impl std::fmt::Display for NoTiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotEnabled => f.write_str(
                "the processor's tile unit (AMX) is not used: the system does not enable it",
            ),
            Self::NotPermitted(errno) => write!(
                f,
                "the processor's tile unit (AMX) is not used: the system does not permit it to this program ({})",
                std::io::Error::from_raw_os_error(*errno)
            ),
        }
    }
}

/// Whether the processor has a tile unit for bfloat16. If it has one, asks the system for its registers, once
/// for all threads of the process. Without that, the first instruction that needs them would end the
/// program.
///
/// # Errors
/// Why a unit that is there cannot be used.
pub fn tiles() -> Result<bool, NoTiles> {
    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    {
        static ANSWER: std::sync::OnceLock<Result<bool, NoTiles>> = std::sync::OnceLock::new();
        *ANSWER.get_or_init(linux::ask)
    }
    #[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
    Ok(false)
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod linux {
    use std::arch::x86_64::{__cpuid, __cpuid_count, _xgetbv};

    use super::NoTiles;

    /// Of CPUID's leaf 7, EDX.
    const BF16_AND_TILES: u32 = 1 << 22 | 1 << 24;
    /// Of CPUID's leaf 1, ECX: the system sets the registers that XCR0 names.
    const XSAVE_IN_USE: u32 = 1 << 27;
    /// Of XCR0: the configuration of the tiles, and their data.
    const TILE_STATE: u64 = 1 << 17 | 1 << 18;
    /// `arch_prctl`'s request for a part of the registers, since Linux 5.16.
    const REQUEST: libc::c_int = 0x1023;
    const TILE_DATA: libc::c_int = 18;

    pub fn ask() -> Result<bool, NoTiles> {
        if __cpuid(0).eax < 7 || __cpuid_count(7, 0).edx & BF16_AND_TILES != BF16_AND_TILES {
            return Ok(false);
        }
        if __cpuid(1).ecx & XSAVE_IN_USE == 0 {
            return Err(NoTiles::NotEnabled);
        }
        // SAFETY: the flag says that the instruction is there.
        if unsafe { registers() } & TILE_STATE != TILE_STATE {
            return Err(NoTiles::NotEnabled);
        }
        // SAFETY: the request changes nothing but what this process may use.
        match unsafe { libc::syscall(libc::SYS_arch_prctl, REQUEST, TILE_DATA) } {
            0 => Ok(true),
            _ => {
                let error = std::io::Error::last_os_error();
                Err(NoTiles::NotPermitted(error.raw_os_error().unwrap_or(0)))
            }
        }
    }

    /// XCR0.
    #[target_feature(enable = "xsave")]
    fn registers() -> u64 {
        // SAFETY: the function is only called where the instruction is there.
        unsafe { _xgetbv(0) }
    }
}
