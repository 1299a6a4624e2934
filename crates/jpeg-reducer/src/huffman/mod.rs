//! Huffman codes (ITU-T T.81, annexes C and F.2.2), as tables over the bits to come.

mod ac;
mod canonical;
mod dc;
mod skip;
pub(crate) mod standard;

pub(crate) use ac::{AcEntry, AcTable, Symbol};
pub(crate) use canonical::Canonical;
pub(crate) use dc::DcTable;
pub(crate) use skip::SkipTable;

/// A code that the table does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadCode;

/// The value of the `size` bits that lead `bits`, by the rule EXTEND (F.2.2.1): those below the half are negative.
pub(crate) const fn extended(bits: u64, size: u32) -> i32 {
    if size == 0 {
        return 0;
    }
    let raw = (bits >> (64 - size)) as i32;
    if raw >> (size - 1) == 0 { raw - (1 << size) + 1 } else { raw }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_values_are_those_of_table_f1() {
        let of = |bits: u64, size: u32| extended(bits << (64 - size), size);
        assert_eq!((of(0, 1), of(1, 1)), (-1, 1));
        assert_eq!((of(0, 3), of(3, 3), of(4, 3), of(7, 3)), (-7, -4, 4, 7));
        assert_eq!((of(0, 11), of(2047, 11), extended(u64::MAX, 0)), (-2047, 2047, 0));
    }
}
