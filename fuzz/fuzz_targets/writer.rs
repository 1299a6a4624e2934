//! What the encoder writes is what it was given, but for what quantisation may take away.

#![no_main]

use jpeg_reducer::{Decoder, Options, PlaneRow, Reduction};
use jpeg_writer::{Picture, Quality};
use libfuzzer_sys::fuzz_target;
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;

/// By how much a coefficient may be off beside half of its divisor: 16-bit transforms there, and rounding back.
const SLACK: f64 = 1.5;

fuzz_target!(|input: &[u8]| {
    let [width, height, quality, settings, seeds @ ..] = input else { return };
    let (width, height) = (u32::from(*width % 150) + 1, u32::from(*height % 150) + 1);
    if seeds.is_empty() {
        return;
    }
    let size = |component| match component {
        0 => (width as usize, height as usize),
        _ => (width.div_ceil(2) as usize, height.div_ceil(2) as usize),
    };
    let plane = |component: usize| -> Vec<u8> {
        let (columns, rows) = size(component);
        match settings >> 2 & 1 {
            0 => seeds.iter().skip(component).chain(seeds).copied().cycle().take(columns * rows).collect(),
            // Shapes, and sharp edges between them.
            _ => (0..columns * rows)
                .map(|at| seeds[(at / columns / 5 * 31 + at % columns / 3 + component) % seeds.len()])
                .collect(),
        }
    };
    let quality = Quality::new(*quality);
    let planes: Vec<_> = if settings & 1 == 1 { vec![plane(0)] } else { (0..3).map(plane).collect() };
    let picture = match &planes[..] {
        [y, cb, cr] => Picture::ycbcr(width, height, [&y[..], cb, cr]),
        _ => Picture::grey(width, height, &planes[0][..]),
    };
    let file = picture.expect("the planes have the right size").encode(quality);

    let mut other = JpegDecoder::new(ZCursor::new(&file[..]));
    other.decode().expect("another decoder reads it");
    assert_eq!(other.dimensions(), Some((width as usize, height as usize)));

    let mut read = vec![Vec::new(); planes.len()];
    let mut take = |PlaneRow { component, samples, .. }: PlaneRow<'_>| read[component].extend_from_slice(samples);
    let decoder = Decoder::new(&file).expect("the header is right");
    decoder.decode_planes(&Options::new(Reduction::Full), &mut take).expect("the scan is right");
    let tables = divisors(&file);
    for (component, (is, due)) in read.iter().zip(&planes).enumerate() {
        assert_eq!(is.len(), due.len());
        let divisors = &tables[component.min(1)];
        // Parseval: a block of samples is off by as much as its coefficients are.
        let bound: f64 = divisors.iter().map(|divisor| (f64::from(*divisor) / 2.0 + SLACK).powi(2)).sum();
        for (block, off) in squares_by_block(is, due, size(component).0).into_iter().enumerate() {
            assert!(off <= bound, "{off} of {bound} in block {block} of component {component}");
        }
    }
});

/// What is off in each block of 8 × 8 samples, squared and summed.
fn squares_by_block(is: &[u8], due: &[u8], columns: usize) -> Vec<f64> {
    let across = columns.div_ceil(8);
    let mut sums = vec![0.0; across * (due.len() / columns).div_ceil(8)];
    for (at, (is, due)) in is.iter().zip(due).enumerate() {
        sums[at / columns / 8 * across + at % columns / 8] += (f64::from(*is) - f64::from(*due)).powi(2);
    }
    sums
}

/// The tables that the file divides by (B.2.4.1), in the order in which they stand.
fn divisors(file: &[u8]) -> Vec<&[u8]> {
    let (mut tables, mut rest) = (Vec::new(), &file[2..]);
    while let [0xff, kind, high, low, after @ ..] = rest
        && *kind != 0xda
    {
        let (body, next) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])) - 2);
        if *kind == 0xdb {
            tables.extend(body.chunks_exact(65).map(|table| &table[1..]));
        }
        rest = next;
    }
    tables
}
