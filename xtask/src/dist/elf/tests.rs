use super::*;

/// A program with nothing but headers: types, and what each points to.
fn mk_program(headers: &[(u32, Vec<u8>)]) -> Vec<u8> {
    const HEADER: usize = 56;
    let mut program = vec![0; 64];
    program[..MAGIC.len()].copy_from_slice(MAGIC);
    program[32..40].copy_from_slice(&64_u64.to_le_bytes());
    program[54..56].copy_from_slice(&(HEADER as u16).to_le_bytes());
    program[56..58].copy_from_slice(&(headers.len() as u16).to_le_bytes());
    let mut place = 64 + headers.len() * HEADER;
    for (kind, content) in headers {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&kind.to_le_bytes());
        header[8..16].copy_from_slice(&(place as u64).to_le_bytes());
        header[32..40].copy_from_slice(&(content.len() as u64).to_le_bytes());
        program.extend(header);
        place += content.len();
    }
    program.extend(headers.iter().flat_map(|(_, content)| content));
    program
}

fn mk_dynamic(tags: &[u64]) -> (u32, Vec<u8>) {
    let entries = tags.iter().flat_map(|tag| [*tag, 7]);
    (PT_DYNAMIC as u32, entries.flat_map(u64::to_le_bytes).collect())
}

fn refused(program: &[u8]) -> String {
    require_static(program).unwrap_err().to_string()
}

/// Type 1 is what is loaded, tag 5 where the texts are.
#[test]
fn static_programs_are_taken_also_those_that_can_be_loaded_anywhere() {
    require_static(&mk_program(&[(1, vec![1; 8])])).unwrap();
    let anywhere = mk_program(&[
        (1, vec![1; 8]),
        mk_dynamic(&[5, DT_NULL as u64, DT_NEEDED as u64]),
    ]);
    require_static(&anywhere).unwrap();
}

#[test]
fn a_loader_or_a_library_is_refused() {
    let loader = (PT_INTERP as u32, b"/lib64/ld-linux-x86-64.so.2\0".to_vec());
    assert!(refused(&mk_program(&[(1, vec![1; 8]), loader])).contains("a loader"));
    let library = mk_program(&[
        (1, vec![1; 8]),
        mk_dynamic(&[5, DT_NEEDED as u64, DT_NULL as u64]),
    ]);
    assert!(refused(&library).contains("a library"));
}

/// These tests themselves: they are linked against the C library of the machine.
#[test]
fn a_real_program_that_is_linked_dynamically_is_refused() {
    let tests = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    assert!(refused(&tests).contains("a loader"));
}

#[test]
fn what_is_no_program_or_half_of_one_is_refused() {
    assert!(refused(b"#!/bin/sh\n").contains("no ELF file"));
    let program = mk_program(&[(1, vec![1; 8]), mk_dynamic(&[5, DT_NULL as u64])]);
    for end in [MAGIC.len(), 60, 100, program.len() - 20] {
        assert!(refused(&program[..end]).contains("it ends before"), "{end}");
    }
}
