//! BPF_PROG_TEST_RUN: a packet with the kernel's view of it goes in, and both come out.

use std::io;
use std::time::Duration;

use aya::programs::{ProgramError, SchedClassifier, TestRun as _, TestRunOptions};
use throttle_common::abi::Hook;

use super::{LOOPBACK_INDEX, Outcome, Program, Segments, Verdict};

/// Offsets in `struct __sk_buff` of linux/bpf.h.
const MARK: usize = 8;
const IFINDEX: usize = 40;
const TSTAMP: usize = 152;
const GSO_SEGS: usize = 164;
const GSO_SIZE: usize = 176;
const SK_BUFF_BYTES: usize = 192;

const TC_ACT_UNSPEC: i32 = -1;
const TC_ACT_SHOT: i32 = 2;

impl Program {
    /// As [`treat`](Self::treat), on the interface of an index; `None` for a frame that the kernel does
    /// not run.
    pub fn treat_on(
        &mut self,
        ifindex: u32,
        hook: Hook,
        frame: &[u8],
        segments: Segments,
    ) -> Result<Option<Outcome>, ProgramError> {
        let classifier = self.classifier(hook);
        let mut bytes = vec![0; frame.len() + 256];
        let given = context(ifindex, segments);
        let mut context = given;
        let mut options = TestRunOptions::new();
        options.data_in = Some(frame);
        options.data_out = Some(&mut bytes);
        options.ctx_in = Some(&given);
        options.ctx_out = Some(&mut context);
        let result = match classifier.test_run(options) {
            Ok(result) => result,
            Err(ProgramError::SyscallError(refused)) if is_invalid(&refused.io_error) => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        bytes.truncate(result.data_size_out as usize);
        let word = |at: usize| u32::from_ne_bytes(*context[at..].first_chunk().expect("a word"));
        let long = |at: usize| u64::from_ne_bytes(*context[at..].first_chunk().expect("a long"));
        let verdict = verdict(result.return_value);
        Ok(Some(Outcome { verdict, bytes, mark: word(MARK), departs_ns: long(TSTAMP) }))
    }
}

/// Runs one packet `times` times through a classifier; returns the mean duration of one run.
pub fn repeat(classifier: &SchedClassifier, frame: &[u8], times: u32) -> Duration {
    let context = context(LOOPBACK_INDEX, Segments::default());
    let mut options = TestRunOptions::new();
    options.data_in = Some(frame);
    options.ctx_in = Some(&context);
    options.repeat = times;
    classifier.test_run(options).expect("BPF_PROG_TEST_RUN").duration
}

fn context(ifindex: u32, segments: Segments) -> [u8; SK_BUFF_BYTES] {
    let mut context = [0; SK_BUFF_BYTES];
    let mut write = |at: usize, word: u32| context[at..at + 4].copy_from_slice(&word.to_ne_bytes());
    write(IFINDEX, ifindex);
    write(GSO_SEGS, segments.count);
    write(GSO_SIZE, segments.size_bytes);
    context
}

fn is_invalid(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EINVAL)
}

fn verdict(answer: u32) -> Verdict {
    match answer as i32 {
        TC_ACT_UNSPEC => Verdict::Pass,
        TC_ACT_SHOT => Verdict::Drop,
        other => panic!("the program answered {other}"),
    }
}
