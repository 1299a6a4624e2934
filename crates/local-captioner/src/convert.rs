//! Weights in PyTorch's own format, made into safetensors.
//!
//! Not done while loading: candle's reader of that format takes a file at its word, so a damaged one may make it panic
//! or take much memory. That may happen to whoever converts a file once, but not to a server that starts.

use crate::error::ConvertError;
use crate::files::{PYTORCH_WEIGHTS, WEIGHTS};
use candle_core::pickle::PthTensors;
use candle_core::{DType, safetensors};
use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

/// What the names of the weights that make captions begin with.
const PARTS: [&str; 2] = ["vision_model.", "text_decoder."];

/// Makes `model.safetensors` in `folder` from the `pytorch_model.bin` there, and answers with its path. Takes as much
/// memory as the file has bytes. Once the new file is there, the old one is not needed any more.
///
/// # Errors
/// If the old file is not a state of a BLIP model, or the new one cannot be written.
///
/// # Panics
/// May panic if the old file is damaged.
pub fn convert_pytorch(folder: &Path) -> Result<PathBuf, ConvertError> {
    let from = folder.join(PYTORCH_WEIGHTS);
    let unreadable = |source| ConvertError::Read { file: from.clone(), source };
    let file = PthTensors::new(&from, None).map_err(unreadable)?;
    let mut tensors = HashMap::new();
    for (name, info) in file.tensor_infos() {
        if info.dtype == DType::F32 && PARTS.iter().any(|part| name.starts_with(part)) {
            tensors.extend(file.get(name).map_err(unreadable)?.map(|tensor| (name.clone(), tensor)));
        }
    }
    if tensors.is_empty() {
        return Err(ConvertError::Empty { file: from });
    }
    let (unfinished, to) = (folder.join(format!("{WEIGHTS}.unfinished")), folder.join(WEIGHTS));
    safetensors::save(&tensors, &unfinished)
        .map_err(|source| ConvertError::Write { file: to.clone(), source })?;
    fs::rename(&unfinished, &to)
        .map_err(|source| ConvertError::Write { file: to.clone(), source: source.into() })?;
    Ok(to)
}
