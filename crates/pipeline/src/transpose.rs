//! Rows for columns.

/// Samples of a block's side.
const SIDE: usize = 8;

/// Writes the grey picture of `width` samples a row with its columns as rows; `turned` is as long as `samples`.
pub(super) fn transpose(samples: &[u8], width: usize, turned: &mut [u8]) {
    let height = samples.len() / width.max(1);
    for (rows, top) in samples.chunks_exact(SIDE * width).zip((0..).step_by(SIDE)) {
        let mut rows = rows.chunks_exact(width);
        let rows: [_; SIDE] = std::array::from_fn(|_| rows.next().unwrap_or_default().as_chunks::<SIDE>().0);
        for (across, columns) in turned.chunks_exact_mut(SIDE * height).enumerate() {
            let mut words = [0; SIDE];
            for (word, row) in words.iter_mut().zip(rows) {
                *word = row.get(across).map_or(0, |samples| u64::from_le_bytes(*samples));
            }
            for (word, at) in turn(words).into_iter().zip((top..).step_by(height)) {
                if let Some(place) = columns.get_mut(at..at + SIDE) {
                    place.copy_from_slice(&word.to_le_bytes());
                }
            }
        }
    }
    edges(samples, turned, (width, height));
}

/// Turns what is left beside and below the last blocks.
fn edges(samples: &[u8], turned: &mut [u8], (width, height): (usize, usize)) {
    for (y, row) in samples.chunks_exact(width.max(1)).enumerate() {
        let left = if y < height - height % SIDE { width - width % SIDE } else { 0 };
        for (x, sample) in row.iter().enumerate().skip(left) {
            if let Some(place) = turned.get_mut(x * height + y) {
                *place = *sample;
            }
        }
    }
}

/// Eight rows of eight samples, the first one lowest, turned: by exchanging quarters, then quarters of quarters, and then single
/// samples (H. S. Warren, "Hacker's Delight", 7-3, does so with bits).
#[inline(always)]
const fn turn([a, b, c, d, e, f, g, h]: [u64; SIDE]) -> [u64; SIDE] {
    const fn exchanged<const BITS: u32, const MASK: u64>(upper: u64, lower: u64) -> (u64, u64) {
        let both = ((upper >> BITS) ^ lower) & MASK;
        (upper ^ both << BITS, lower ^ both)
    }
    const FOUR: u64 = 0x0000_0000_ffff_ffff;
    const TWO: u64 = 0x0000_ffff_0000_ffff;
    const ONE: u64 = 0x00ff_00ff_00ff_00ff;
    let ((a, e), (b, f)) = (exchanged::<32, FOUR>(a, e), exchanged::<32, FOUR>(b, f));
    let ((c, g), (d, h)) = (exchanged::<32, FOUR>(c, g), exchanged::<32, FOUR>(d, h));
    let ((a, c), (b, d)) = (exchanged::<16, TWO>(a, c), exchanged::<16, TWO>(b, d));
    let ((e, g), (f, h)) = (exchanged::<16, TWO>(e, g), exchanged::<16, TWO>(f, h));
    let ((a, b), (c, d)) = (exchanged::<8, ONE>(a, b), exchanged::<8, ONE>(c, d));
    let ((e, f), (g, h)) = (exchanged::<8, ONE>(e, f), exchanged::<8, ONE>(g, h));
    [a, b, c, d, e, f, g, h]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_become_rows_at_any_size() {
        for (width, height) in (1..20).flat_map(|width| (1..20).map(move |height| (width, height))) {
            let samples: Vec<u8> = (0..width * height).map(|at| (at * 7 % 251) as u8).collect();
            let mut turned = vec![0; samples.len()];
            transpose(&samples, width, &mut turned);
            for (x, y) in (0..width).flat_map(|x| (0..height).map(move |y| (x, y))) {
                assert_eq!(turned[x * height + y], samples[y * width + x], "{width} × {height}");
            }
        }
    }
}
