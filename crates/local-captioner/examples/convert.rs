//! Makes `model.safetensors` from the `pytorch_model.bin` in the folder that is named:
//! `cargo run --release --example convert -- FOLDER`

#![allow(clippy::print_stdout, reason = "this is what a program says")]

use std::error::Error;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("name the folder of the model")?;
    let file = darkroom_local_captioner::convert_pytorch(Path::new(&folder))?;
    println!("{}", file.display());
    Ok(())
}
