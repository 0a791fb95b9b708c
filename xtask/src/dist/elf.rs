//! Whether a program needs nothing but a kernel. ELF is as in the System V ABI, chapters 4 and 5.

use anyhow::{Context as _, bail, ensure};

/// What begins a file of 64 bits, least significant byte first: that of both processors that there are images for.
const MAGIC: &[u8] = b"\x7fELF\x02\x01";

// Types of program headers, and tags of what PT_DYNAMIC points to.
const PT_DYNAMIC: usize = 2;
const PT_INTERP: usize = 3;
const DT_NULL: usize = 0;
const DT_NEEDED: usize = 1;

/// The bytes of an entry below PT_DYNAMIC: a tag and a value.
const ENTRY: usize = 16;

/// Fails if the program asks for a loader or a library. One that can be loaded anywhere has PT_DYNAMIC, and is static as long
/// as no library is named there.
pub(super) fn require_static(program: &[u8]) -> anyhow::Result<()> {
    ensure!(
        program.starts_with(MAGIC),
        "it is no ELF file of 64 bits, least significant byte first"
    );
    let headers = number(program, 32, 8)?;
    let size = number(program, 54, 2)?;
    let count = number(program, 56, 2)?;
    for index in 0..count {
        let header = headers.saturating_add(index * size);
        match number(program, header, 4)? {
            PT_INTERP => bail!("it asks for a loader: it is not linked statically"),
            PT_DYNAMIC => {
                let start = number(program, header.saturating_add(8), 8)?;
                let length = number(program, header.saturating_add(32), 8)?;
                require_no_library(program, start, length)?;
            }
            _ => {}
        }
    }
    Ok(())
}

fn require_no_library(program: &[u8], start: usize, length: usize) -> anyhow::Result<()> {
    for index in 0..length / ENTRY {
        match number(program, start.saturating_add(index * ENTRY), 8)? {
            DT_NULL => break,
            DT_NEEDED => bail!("it asks for a library: it is not linked statically"),
            _ => {}
        }
    }
    Ok(())
}

/// The number of this many bytes at this place.
fn number(program: &[u8], at: usize, size: usize) -> anyhow::Result<usize> {
    let bytes = program.get(at..at.saturating_add(size));
    let bytes = bytes.with_context(|| format!("it ends before byte {at}, which its headers name"))?;
    let mut number = [0; 8];
    number[..size].copy_from_slice(bytes);
    Ok(usize::try_from(u64::from_le_bytes(number))?)
}

#[cfg(test)]
mod tests;
