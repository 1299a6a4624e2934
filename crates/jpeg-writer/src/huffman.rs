//! Codes that are best for how often each symbol comes (K.2).

use crate::symbols::SYMBOLS;

/// The longest code there may be, in bits (C.2).
const LONGEST: usize = 16;

/// A table of codes, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// How many codes there are of 1 to 16 bits.
    pub(crate) lengths: [u8; LONGEST],
    /// Their symbols, from the shortest code to the longest.
    pub(crate) symbols: Vec<u8>,
}

/// A code; of no length if the symbol has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Code {
    pub(crate) bits: u16,
    pub(crate) length: u8,
}

impl Table {
    /// For symbols that come so often. Those that do not come have no code.
    pub(crate) fn new(counts: &[u64; SYMBOLS]) -> Self {
        let mut seldom: Vec<(u64, u8)> =
            counts.iter().copied().zip(0..=255).filter(|(count, _)| *count > 0).collect();
        seldom.sort_unstable_by_key(|(count, symbol)| (*count, std::cmp::Reverse(*symbol)));
        // No code may consist of ones only (C.2). A symbol that never comes gets the code that would.
        let mut lengths = leaves([0].into_iter().chain(seldom.iter().map(|(count, _)| *count)).collect());
        if let Some(longest) = lengths.iter_mut().rfind(|count| **count > 0) {
            *longest -= 1;
        }
        Self { lengths, symbols: seldom.iter().rev().map(|(_, symbol)| *symbol).collect() }
    }

    /// The code of each symbol (C.2).
    pub(crate) fn codes(&self) -> [Code; SYMBOLS] {
        let mut codes = [Code::default(); SYMBOLS];
        let (mut next, mut symbols) = (0_u16, self.symbols.iter());
        for (count, length) in self.lengths.iter().zip(1..) {
            for symbol in symbols.by_ref().take(usize::from(*count)) {
                if let Some(code) = codes.get_mut(usize::from(*symbol)) {
                    *code = Code { bits: next, length };
                }
                next += 1;
            }
            next <<= 1;
        }
        codes
    }
}

/// How many leaves the best tree has at each depth, none below 16; `weights` ascend.
///
/// Where the best tree is deeper, weights are halved until it is not: that happens only to symbols that hardly come, which is
/// why their longer codes do not matter.
fn leaves(mut weights: Vec<u64>) -> [u8; LONGEST] {
    loop {
        let mut leaves = [0; LONGEST];
        let depths = depths(&weights);
        let counted = depths.iter().try_for_each(|depth| {
            *leaves.get_mut(depth.checked_sub(1)?)? += 1;
            Some(())
        });
        if counted.is_some() || weights.len() < 2 {
            return leaves;
        }
        weights.iter_mut().for_each(|weight| *weight = weight.div_ceil(2));
    }
}

/// How deep each of the leaves lies in the best tree; `weights` ascend.
///
/// The two lightest of all that is left become one, again and again. What becomes of them is at least as heavy as what became
/// of those before, so the lightest are always at the head of one of two queues: leaves, and what was made of two.
fn depths(weights: &[u64]) -> Vec<usize> {
    let count = weights.len();
    let mut nodes = weights.to_vec();
    let mut parents = vec![0; 2 * count];
    let (mut leaf, mut pair) = (0, count);
    for parent in count..(2 * count).saturating_sub(1) {
        let mut sum = 0;
        for _ in 0..2 {
            let of_leaf = nodes.get(leaf).filter(|_| leaf < count);
            let of_pair = nodes.get(pair);
            let is_leaf = of_leaf.is_some_and(|leaf| of_pair.is_none_or(|pair| leaf <= pair));
            let lightest = if is_leaf { &mut leaf } else { &mut pair };
            sum += nodes.get(*lightest).copied().unwrap_or(0);
            if let Some(place) = parents.get_mut(*lightest) {
                *place = parent;
            }
            *lightest += 1;
        }
        nodes.push(sum);
    }
    let mut depths = vec![0; nodes.len()];
    // Parents come behind their children, and the root is the last.
    for at in (0..nodes.len().saturating_sub(1)).rev() {
        let above = parents.get(at).and_then(|parent| depths.get(*parent)).copied().unwrap_or(0);
        if let Some(depth) = depths.get_mut(at) {
            *depth = above + 1;
        }
    }
    depths.truncate(count);
    depths
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lengths of the codes of symbols that come so often.
    fn lengths(counts: &[u64]) -> Vec<u8> {
        let mut all = [0; SYMBOLS];
        all[..counts.len()].copy_from_slice(counts);
        let table = Table::new(&all);
        assert_eq!(table.lengths.iter().map(|count| usize::from(*count)).sum::<usize>(), table.symbols.len());
        let codes = table.codes();
        assert!(
            codes.iter().all(|code| u32::from(code.bits) < (1 << code.length) - u32::from(code.length > 0))
        );
        codes[..counts.len()].iter().map(|code| code.length).collect()
    }

    #[test]
    fn what_comes_often_gets_a_short_code_and_none_is_of_ones_only() {
        assert_eq!(lengths(&[]), []);
        assert_eq!(lengths(&[7]), [1]);
        assert_eq!(lengths(&[7, 0, 7]), [1, 0, 2]);
        assert_eq!(lengths(&[1, 2, 4, 8, 16]), [5, 4, 3, 2, 1]);
        assert_eq!(lengths(&[1; 256]).iter().filter(|length| **length == 8).count(), 255);
    }

    #[test]
    fn no_code_is_longer_than_sixteen_bits() {
        let fibonacci = std::iter::successors(Some((1_u64, 1)), |(a, b)| Some((*b, a + b))).map(|(a, _)| a);
        let lengths = lengths(&fibonacci.take(45).collect::<Vec<_>>());
        assert_eq!(lengths.iter().max(), Some(&16));
        assert!(lengths.last() <= Some(&2), "{lengths:?}");
        assert!(lengths.is_sorted_by(|seldom, often| seldom >= often), "{lengths:?}");
    }

    #[test]
    fn the_tree_is_the_best_one() {
        // Against the sum of all pairs, which is what the codes of all symbols take together.
        let weights: Vec<u64> = (0..40).map(|i| i * i * 7 % 97).collect();
        let mut sorted = weights.clone();
        sorted.sort_unstable();
        let taken: u64 =
            depths(&sorted).iter().zip(&sorted).map(|(depth, weight)| *depth as u64 * weight).sum();
        let mut heap: std::collections::BinaryHeap<_> = weights.into_iter().map(std::cmp::Reverse).collect();
        let mut due = 0;
        while let (Some(a), Some(b)) = (heap.pop(), heap.pop()) {
            due += a.0 + b.0;
            heap.push(std::cmp::Reverse(a.0 + b.0));
        }
        assert_eq!(taken, due);
    }
}
