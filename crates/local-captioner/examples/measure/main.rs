//! How long captions take, and how much memory: `cargo run --release --example measure -- FOLDER [base|large]`
//!
//! If there is no model in the folder, one with random weights and the sizes of a published one is written there. It
//! says nothing sensible, and goes on to the longest caption there can be; computing it costs what the real one does.

#![allow(clippy::print_stdout, reason = "this is what a program says")]

mod random;

use darkroom_local_captioner::{LocalCaptioner, Picture};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Instant;

const WIDTH: u32 = 1024;
const HEIGHT: u32 = 683;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("name the folder of the model")?;
    let folder = Path::new(&folder);
    if !folder.join("config.json").exists() {
        random::write_model(folder, &arguments.next().unwrap_or_else(|| "base".to_owned()))?;
        println!("wrote random weights");
    }
    let begun = Instant::now();
    let captioner = LocalCaptioner::load(folder)?;
    println!("loaded in {:.2} s, {}", begun.elapsed().as_secs_f64(), memory()?);

    let samples: Vec<u8> =
        (0..HEIGHT).flat_map(|y| (0..WIDTH * 3).map(move |x| ((x * y) >> 6) as u8)).collect();
    let picture = Picture::new(WIDTH, HEIGHT, &samples)?;
    for _ in 0..5 {
        // The first time that it is asked between tokens, what is seen has been computed.
        let begun = Instant::now();
        let said = captioner.caption(&picture, &|| false)?;
        println!(
            "{:.2} s for {} tokens, {}: {}",
            begun.elapsed().as_secs_f64(),
            said.generated_tokens,
            memory()?,
            said.text.chars().take(60).collect::<String>()
        );
    }
    Ok(())
}

/// Memory in use now and at most so far, as Linux counts it.
fn memory() -> Result<String, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line =
        |name| status.lines().find_map(|line: &str| line.strip_prefix(name)).unwrap_or_default().trim();
    Ok(format!("in memory {}, at most {}", line("VmRSS:"), line("VmHWM:")))
}
