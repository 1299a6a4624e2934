//! The file: its segments, and the one scan (B.2).

use crate::bits;
use crate::component::Component;
use crate::huffman::Table;
use crate::picture::{Picture, Planes};
use crate::quantisation::{Divisors, Quality};
use crate::symbols::Symbols;
use crate::tile::Quantiser;

const SOI: [u8; 2] = [0xff, 0xd8];
const EOI: [u8; 2] = [0xff, 0xd9];
const APP0: u8 = 0xe0;
const DQT: u8 = 0xdb;
const SOF0: u8 = 0xc0;
const DHT: u8 = 0xc4;
const SOS: u8 = 0xda;

/// Version 1.02, pixels as wide as high, no thumbnail (ITU-T T.871, clause 10.1).
const JFIF: [u8; 14] = *b"JFIF\0\x01\x02\0\0\x01\0\x01\0\0";

/// Bytes that a symbol takes, by experience, and those of all segments together.
const BYTES_OF_SYMBOL: f64 = 0.9;
const BYTES_OF_SEGMENTS: usize = 1024;

/// The whole file.
pub(crate) fn write(picture: &Picture<'_>, quality: Quality) -> Vec<u8> {
    let (width, height) = (usize::from(picture.width), usize::from(picture.height));
    let divisors = [Divisors::luminance(quality), Divisors::differences(quality)];
    let [luminance, differences] = divisors.each_ref().map(Quantiser::new);
    let (components, side) = match &picture.planes {
        Planes::Grey(samples) => (vec![Component::new(samples, (width, height), luminance, 1, 0)], 8),
        Planes::YCbCr([y, cb, cr]) => {
            let half = (width.div_ceil(2), height.div_ceil(2));
            let y = Component::new(y, (width, height), luminance, 2, 0);
            let cb = Component::new(cb, half, differences.clone(), 1, 1);
            (vec![y, cb, Component::new(cr, half, differences, 1, 1)], 16)
        }
    };
    let symbols = Symbols::of(&components, (width.div_ceil(side), height.div_ceil(side)));
    let mut file =
        Vec::with_capacity((symbols.list.len() as f64 * BYTES_OF_SYMBOL) as usize + BYTES_OF_SEGMENTS);
    file.extend(SOI);
    segment(&mut file, APP0, &JFIF);
    let tables = components.iter().map(|component| component.table + 1).max().unwrap_or(0);
    for (divisors, table) in divisors.iter().zip(0..tables) {
        segment(&mut file, DQT, &[&[table], &divisors.0[..]].concat());
    }
    segment(&mut file, SOF0, &frame(picture, &components));
    // The first coefficients' tables have the class 0, those of the others the class 1.
    let codes = symbols.counts.each_ref().map(Table::new);
    for (table, number) in codes.iter().zip([0x00, 0x10, 0x01, 0x11]).take(2 * usize::from(tables)) {
        segment(&mut file, DHT, &[&[number], &table.lengths[..], &table.symbols].concat());
    }
    segment(&mut file, SOS, &scan(&components));
    bits::write(&symbols.list, &codes.each_ref().map(Table::codes), &mut file);
    file.extend(EOI);
    file
}

fn segment(file: &mut Vec<u8>, marker: u8, payload: &[u8]) {
    file.extend([0xff, marker]);
    file.extend((payload.len() as u16 + 2).to_be_bytes());
    file.extend(payload);
}

/// B.2.2: 8 bits a sample; of each component its name, its sampling both ways and its divisors.
fn frame(picture: &Picture<'_>, components: &[Component<'_>]) -> Vec<u8> {
    let [(high, low), (wide, narrow)] = [picture.height, picture.width].map(|side| {
        let [high, low] = side.to_be_bytes();
        (high, low)
    });
    let mut frame = vec![8, high, low, wide, narrow, components.len() as u8];
    for (component, name) in components.iter().zip(1..) {
        frame.extend([name, component.sampling as u8 * 0x11, component.table]);
    }
    frame
}

/// B.2.3: of each component its name and its codes; all coefficients in one scan.
fn scan(components: &[Component<'_>]) -> Vec<u8> {
    let mut scan = vec![components.len() as u8];
    for (component, name) in components.iter().zip(1..) {
        scan.extend([name, component.table * 0x11]);
    }
    scan.extend([0, 63, 0]);
    scan
}
