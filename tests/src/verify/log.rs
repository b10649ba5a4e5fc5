//! What the verifier says of its work at `BPF_LOG_STATS`.

use anyhow::{Context as _, Result};

/// The figures of one program.
pub(super) struct Statistics {
    /// Instructions that it went through, along every path.
    pub(super) instructions: u64,
    /// Bytes of stack of each function, in the order of their instructions.
    pub(super) stack_bytes: Vec<u32>,
}

impl Statistics {
    /// Reads the lines `processed 5 insns (limit 1000000) ...` and `stack depth 192+280+0`. Newer kernels have a line
    /// of each function, `subprog 1 (name) static ... stack 280`, and `stack depth max 480`.
    pub(super) fn parse(log: &str) -> Result<Self> {
        let word = |begin: &str| {
            let mut rest = log.lines().filter_map(|line| line.strip_prefix(begin));
            let word = rest.find_map(|rest| rest.split_whitespace().next());
            word.with_context(|| format!("no line begins with `{begin}`"))
        };
        let instructions = word("processed ")?;
        let depths = word("stack depth ")?;
        let own = log.lines().filter(|line| line.starts_with("subprog "));
        let own = own.filter_map(|line| line.rsplit_once(" stack ").map(|(_, bytes)| bytes));
        let depths: Vec<_> =
            if depths == "max" { own.collect() } else { depths.split('+').collect() };
        let depth = |text: &str| text.parse().with_context(|| format!("stack depth {text}"));
        Ok(Self {
            instructions: instructions.parse().with_context(|| format!("{instructions} insns"))?,
            stack_bytes: depths.into_iter().map(depth).collect::<Result<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Statistics;

    #[test]
    fn instructions_and_the_stack_of_each_function_are_told() {
        let log = "verification time 5 usec\nstack depth 192+280+0\n\
             processed 542882 insns (limit 1000000) max_states_per_insn 4 total_states 9\n";
        let statistics = Statistics::parse(log).unwrap();
        assert_eq!(statistics.instructions, 542_882);
        assert_eq!(statistics.stack_bytes, [192, 280, 0]);
    }

    #[test]
    fn newer_kernels_have_a_line_of_each_function() {
        let log = "stack depth max 480\n\
             subprog 0 (throttle_in) main insns_self 47 insns_total 47 stack 192\n\
             subprog 1 (f) static insns_self 4 insns_total 4 stack 0\n\
             processed 51 insns (limit 1000000)\n";
        assert_eq!(Statistics::parse(log).unwrap().stack_bytes, [192, 0]);
    }

    #[test]
    fn a_log_without_them_is_refused() {
        for log in ["processed 5 insns\n", "stack depth 8\n", "stack depth 1+x\nprocessed 5\n"] {
            assert!(Statistics::parse(log).is_err(), "{log}");
        }
    }
}
