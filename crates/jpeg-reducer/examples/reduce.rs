//! Decodes a file, as often as asked, and says how long it took: `reduce FILE EIGHTHS [TIMES] [OUTPUT]`.
#![allow(clippy::print_stdout)]

use jpeg_reducer::{Decoder, Options, Reduction};
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, file, eighths, rest @ ..] = arguments.as_slice() else {
        return Err("usage: reduce FILE EIGHTHS [TIMES] [OUTPUT]".into());
    };
    let bytes = std::fs::read(file)?;
    let eighths: u32 = eighths.parse()?;
    let reduction = Reduction::ALL.into_iter().find(|r| r.eighths() == eighths);
    let reduction = reduction.ok_or("1 to 6, or 8, eighths")?;
    let times: u32 = rest.first().map_or(Ok(1), |times| times.parse())?;
    let decoder = Decoder::new(&bytes)?;
    let options = Options::new(reduction);
    let mut best = f64::INFINITY;
    let mut sum = 0_u64;
    for _ in 0..times {
        let start = Instant::now();
        decoder.decode(&options, &mut |rows| {
            sum += rows.samples.iter().step_by(97).map(|s| u64::from(*s)).sum::<u64>()
        })?;
        best = best.min(start.elapsed().as_secs_f64() * 1000.0);
    }
    println!("{file} {eighths}/8: {best:.2} ms, at most {} KB, {sum}", decoder.memory_bytes(reduction) >> 10);
    if let Some(output) = rest.get(1) {
        let (picture, _) = decoder.picture(&options)?;
        let kind = if picture.channels == 1 { 5 } else { 6 };
        let mut out = format!("P{kind}\n{} {}\n255\n", picture.width, picture.height).into_bytes();
        if picture.channels == 4 {
            out = Vec::new();
        }
        out.extend(picture.samples);
        std::fs::write(output, out)?;
    }
    Ok(())
}
