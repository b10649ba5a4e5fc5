//! How deep the stack of a program gets, from what the verifier says of each function and from who calls whom.

use anyhow::{Context as _, Result, ensure};
use aya_obj::generated::bpf_insn;

use super::record::Chain;

/// What a function takes at least, and its unit, in Linux 6.1; newer kernels with a JIT count by 16.
const UNIT_BYTES: u32 = 32;

/// A direct call, `BPF_JMP | BPF_CALL`.
const CALL: u8 = 0x85;
/// The address of a function, `BPF_LD | BPF_IMM | BPF_DW`.
const LOAD_64: u8 = 0x18;
/// In the source register of a call: to a function of the program.
const PSEUDO_CALL: u8 = 1;
/// In the source register of such a load: of a function, which a helper calls.
const PSEUDO_FUNC: u8 = 4;

/// Where a function begins, and its name.
pub(super) type Start = (usize, String);

/// The functions with their bytes of stack, and the chain of calls that takes most. `functions` are in the order of
/// their instructions, as `depths` are.
pub(super) fn deepest(
    instructions: &[bpf_insn],
    functions: &[Start],
    depths: &[u32],
) -> Result<(Vec<(String, u32)>, Chain)> {
    ensure!(
        functions.len() == depths.len(),
        "the verifier tells of the stack of {} functions, the object has {}",
        depths.len(),
        functions.len()
    );
    let callees = callees(instructions, functions)?;
    let (chain, stack_bytes) = below(0, &callees, depths);
    let name = |function: usize| functions[function].1.clone();
    let functions: Vec<_> = (0..depths.len()).map(|index| (name(index), depths[index])).collect();
    Ok((functions, Chain { functions: chain.into_iter().map(name).collect(), stack_bytes }))
}

/// The deepest chain that begins with `function`. The verifier accepts no recursion.
fn below(function: usize, callees: &[Vec<usize>], depths: &[u32]) -> (Vec<usize>, u32) {
    let own = depths[function].max(1).next_multiple_of(UNIT_BYTES);
    let chains = callees[function].iter().map(|&callee| below(callee, callees, depths));
    let (mut chain, bytes) = chains.max_by_key(|(_, bytes)| *bytes).unwrap_or_default();
    chain.insert(0, function);
    (chain, own + bytes)
}

/// Which functions each function calls.
fn callees(instructions: &[bpf_insn], functions: &[Start]) -> Result<Vec<Vec<usize>>> {
    let mut callees = vec![Vec::new(); functions.len()];
    for (at, instruction) in instructions.iter().enumerate() {
        let calls = match instruction.code {
            CALL => instruction.src_reg() == PSEUDO_CALL,
            LOAD_64 => instruction.src_reg() == PSEUDO_FUNC,
            _ => false,
        };
        if calls {
            let target = at as i64 + 1 + i64::from(instruction.imm);
            let callee = functions.iter().position(|(start, _)| *start as i64 == target);
            let callee = callee.with_context(|| format!("no function begins at {target}"))?;
            let caller = functions.iter().rposition(|(start, _)| *start <= at);
            callees[caller.context("no function holds the first instruction")?].push(callee);
        }
    }
    Ok(callees)
}

#[cfg(test)]
mod tests {
    use aya_obj::generated::bpf_insn;

    use super::{CALL, LOAD_64, PSEUDO_CALL, PSEUDO_FUNC, deepest};

    const EXIT: u8 = 0x95;

    fn instruction(code: u8, from: u8, immediate: i32) -> bpf_insn {
        let registers = bpf_insn::new_bitfield_1(0, from);
        bpf_insn { code, _bitfield_align_1: [], _bitfield_1: registers, off: 0, imm: immediate }
    }

    #[test]
    fn the_deepest_chain_takes_a_multiple_of_32_for_each_of_its_functions() {
        // main calls a and b; b has c called by a helper.
        let instructions = [
            instruction(CALL, PSEUDO_CALL, 2),
            instruction(CALL, PSEUDO_CALL, 2),
            instruction(EXIT, 0, 0),
            instruction(EXIT, 0, 0),
            instruction(LOAD_64, PSEUDO_FUNC, 3),
            instruction(0, 0, 0),
            instruction(CALL, 0, 181),
            instruction(EXIT, 0, 0),
            instruction(EXIT, 0, 0),
        ];
        let functions = [(0, "main"), (3, "a"), (4, "b"), (8, "c")];
        let functions = functions.map(|(start, name)| (start, name.to_owned()));
        let (all, chain) = deepest(&instructions, &functions, &[100, 60, 8, 0]).unwrap();
        assert_eq!(all[1], ("a".to_owned(), 60));
        assert_eq!(
            (chain.functions, chain.stack_bytes),
            (names(["main", "b", "c"]), 128 + 32 + 32)
        );
        let (_, chain) = deepest(&instructions, &functions, &[100, 65, 8, 0]).unwrap();
        assert_eq!((chain.functions, chain.stack_bytes), (names(["main", "a"]), 128 + 96));
        assert!(deepest(&instructions, &functions, &[100]).is_err());
    }

    fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
        names.map(str::to_owned).to_vec()
    }
}
