//! Makes both thumbnails of a picture again and again, as the worker does, and prints what it took as a line of JSON.
//! `benches/peers/run` starts it in turns with the programs beside it.
//!
//! `FILE WARMUP ITERATIONS` measures; `FILE --looks FOLDER` writes the thumbnails as they are before encoding, and encoded.

#![allow(clippy::print_stdout, missing_docs, reason = "a benchmark is run by hand and prints")]

use darkroom::pipeline::{
    Limits, Picture, Pixels, Rendered, Thumbnails, encode, make_thumbnails, read_metadata, render,
};
use darkroom::probe::probe;
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;
use std::error::Error;
use std::io::{self, Cursor};
use std::path::Path;
use std::{env, fs};

/// Wide enough for every picture: what is refused cannot be compared.
const LIMITS: Limits = Limits { max_pixels: 1 << 30, memory_budget_bytes: 1 << 32 };

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Vec::from_iter(env::args().skip(1));
    match Vec::from_iter(arguments.iter().map(String::as_str))[..] {
        [file, "--looks", folder] => write_looks(file, Path::new(folder)),
        [file, warmup, iterations] => measure(file, warmup.parse()?, iterations.parse()?),
        // A plain `cargo bench` starts this too.
        _ => {
            println!("benches/peers/run compares Darkroom with other programs");
            Ok(())
        }
    }
}

fn measure(file: &str, warmup: usize, iterations: usize) -> Result<(), Box<dyn Error>> {
    let idle_kib = peak_kib()?;
    for _ in 0..warmup {
        process(file)?;
    }
    let (mut cpu_ms, mut last) = (Vec::with_capacity(iterations), None);
    for _ in 0..iterations {
        let begun = cpu_ms_so_far();
        last = Some(process(file)?);
        cpu_ms.push(cpu_ms_so_far() - begun);
    }
    let Thumbnails { small, medium, .. } = last.ok_or("at least one iteration is needed")?;
    let report = json!({
        "cpu_ms": cpu_ms,
        "bytes": { "128": small.bytes.len(), "512": medium.bytes.len() },
        "format": medium.format.extension(),
        "idle_kib": idle_kib,
        "peak_kib": peak_kib()?,
    });
    println!("{report}");
    Ok(())
}

/// What the worker does with one picture, from the original's file to the thumbnails' bytes.
fn process(file: &str) -> Result<Thumbnails, Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let header = probe(Cursor::new(&bytes))?;
    let metadata = read_metadata(&bytes, &header);
    Ok(make_thumbnails(&bytes, &header, metadata.orientation, &LIMITS, &|| false)?)
}

fn write_looks(file: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let bytes = fs::read(file)?;
    let header = probe(Cursor::new(&bytes))?;
    let orientation = read_metadata(&bytes, &header).orientation;
    let Rendered { small, medium, .. } = render(&bytes, &header, orientation, &LIMITS, &|| false)?;
    for (size, picture) in [("128", small), ("512", medium)] {
        let encoded = encode(&picture)?;
        fs::write(folder.join(format!("{size}.encoded.{}", encoded.format.extension())), encoded.bytes)?;
        match picture {
            Picture::Pixels(pixels) => write_png(&pixels, &folder.join(format!("{size}.png")))?,
            Picture::Planes(planes) => {
                for (plane, name) in planes.all().into_iter().zip(["y", "cb", "cr"]) {
                    write_png(plane, &folder.join(format!("{size}.{name}.png")))?;
                }
            }
        }
    }
    Ok(())
}

fn write_png(pixels: &Pixels, path: &Path) -> Result<(), Box<dyn Error>> {
    let mut encoder = png::Encoder::new(fs::File::create(path)?, pixels.width(), pixels.height());
    encoder.set_color(match pixels.channels().count() {
        1 => png::ColorType::Grayscale,
        2 => png::ColorType::GrayscaleAlpha,
        3 => png::ColorType::Rgb,
        _ => png::ColorType::Rgba,
    });
    let mut writer = encoder.write_header()?;
    writer.write_image_data(pixels.samples())?;
    Ok(writer.finish()?)
}

/// The processor time that all threads of this process have taken, in milliseconds.
fn cpu_ms_so_far() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// The most resident memory that this process has had, in KiB (proc(5), `VmHWM`).
fn peak_kib() -> io::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let kib =
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
    kib.ok_or_else(|| io::Error::other("/proc/self/status says nothing of VmHWM"))
}
