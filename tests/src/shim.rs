//! A classifier in front of the measured one: it gives each run of a repeated packet another host.
//!
//! BPF_PROG_TEST_RUN repeats one packet. The shim writes a random word over the middle of its source
//! address and tail-calls the measured program, so that a table of many hosts is looked up at random,
//! as by real traffic. What the shim costs is measured by letting it call an empty program.

use std::os::fd::{AsRawFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::bpf::{NEXT, ProgramType, TestRunAttr, instruction, load, load_map, program_array};

const TAIL_CALL: i32 = 12;
const GET_PRANDOM_U32: i32 = 7;
/// `data` of `struct __sk_buff`.
pub const DATA: i16 = 76;
/// The end of what `data` begins.
pub const DATA_END: i16 = 80;
/// The IPv4 source address, or bits 32 to 63 of the IPv6 one, in an untagged frame.
pub const SOURCE_WORD: i16 = 26;
/// The word's first octet: 10, as in 10.0.0.0/8.
const NETWORK: i32 = 10 << 24;

/// A classifier that does nothing but answer.
pub struct Empty(OwnedFd);

/// A classifier that picks a random host and calls another.
pub struct Shim {
    program: OwnedFd,
    _table: OwnedFd,
}

impl Empty {
    /// Loads one that passes everything.
    pub fn load() -> Result<Self> {
        Self::answering(NEXT)
    }

    /// Loads one that gives this answer to everything.
    pub fn answering(answer: i32) -> Result<Self> {
        load(
            ProgramType::Classifier,
            &[
                instruction(0xb7, 0, 0, 0, answer), // r0 = answer
                instruction(0x95, 0, 0, 0, 0),      // exit
            ],
        )
        .map(Self)
    }

    /// The program.
    pub fn fd(&self) -> &OwnedFd {
        &self.0
    }
}

impl Shim {
    /// Loads a shim that picks one of `hosts`, a power of two, and calls `target`.
    pub fn load(hosts: u32, target: BorrowedFd<'_>) -> Result<Self> {
        assert!(hosts.is_power_of_two());
        let table = program_array(target)?;
        let mask = (hosts - 1) as i32;
        let [map_low, map_high] = load_map(2, &table);
        let program = load(
            ProgramType::Classifier,
            &[
                instruction(0xbf, 6, 1, 0, 0),               // r6 = r1
                instruction(0x85, 0, 0, 0, GET_PRANDOM_U32), // call
                instruction(0x54, 0, 0, 0, mask),            // w0 &= mask
                instruction(0x44, 0, 0, 0, NETWORK),         // w0 |= network
                instruction(0xdc, 0, 0, 0, 32),              // r0 = be32 r0
                instruction(0x61, 1, 6, DATA, 0),            // r1 = data
                instruction(0x61, 2, 6, DATA_END, 0),        // r2 = data_end
                instruction(0xbf, 3, 1, 0, 0),               // r3 = r1
                instruction(0x07, 3, 0, 0, 34),              // r3 += 34
                instruction(0x2d, 3, 2, 6, 0),               // if r3 > r2 goto exit
                instruction(0x63, 1, 0, SOURCE_WORD, 0),     // *(u32 *)(r1 + 26) = r0
                instruction(0xbf, 1, 6, 0, 0),               // r1 = r6
                map_low,                                     // r2 = table
                map_high,
                instruction(0xb7, 3, 0, 0, 0),         // r3 = 0
                instruction(0x85, 0, 0, 0, TAIL_CALL), // call
                instruction(0xb7, 0, 0, 0, NEXT),      // r0 = NEXT
                instruction(0x95, 0, 0, 0, 0),         // exit
            ],
        )?;
        Ok(Self { program, _table: table })
    }

    /// Runs `frame` `times` times; returns the answer of the last run and the mean duration of one.
    pub fn run(&self, frame: &[u8], times: u32) -> Result<(i32, Duration)> {
        let mut attr = TestRunAttr {
            prog_fd: self.program.as_raw_fd() as u32,
            data_size_in: frame.len() as u32,
            data_in: frame.as_ptr() as u64,
            repeat: times,
            ..TestRunAttr::default()
        };
        // SAFETY: the frame outlives the call and has the length that is given.
        unsafe { attr.run() }.context("running the shim")?;
        Ok((attr.retval as i32, Duration::from_nanos(attr.duration_ns.into())))
    }
}
