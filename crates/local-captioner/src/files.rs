//! Which files a model consists of, and what to say if they are not there.

use crate::error::LoadError;
use std::fmt;
use std::path::{Path, PathBuf};

/// The model that messages name.
pub(crate) const MODEL: &str = "Salesforce/blip-image-captioning-base";

/// Where it is published.
pub(crate) const ORIGIN: &str = "https://huggingface.co/Salesforce/blip-image-captioning-base";

/// The file of weights.
pub(crate) const WEIGHTS: &str = "model.safetensors";

/// The file of weights in PyTorch's own format.
pub(crate) const PYTORCH_WEIGHTS: &str = "pytorch_model.bin";

/// The files of a model, all of which are there.
pub(crate) struct Files {
    pub(crate) config: PathBuf,
    pub(crate) weights: PathBuf,
    pub(crate) tokenizer: PathBuf,
}

impl Files {
    /// # Errors
    /// `Missing` and `OnlyPytorch`.
    pub(crate) fn find(folder: &Path) -> Result<Self, LoadError> {
        let files = Self {
            config: folder.join("config.json"),
            weights: folder.join(WEIGHTS),
            tokenizer: folder.join("tokenizer.json"),
        };
        let missing: Vec<_> = [&files.config, &files.weights, &files.tokenizer]
            .into_iter()
            .filter(|file| !file.is_file())
            .cloned()
            .collect();
        match missing.as_slice() {
            [] => Ok(files),
            [file] if *file == files.weights && folder.join(PYTORCH_WEIGHTS).is_file() => {
                Err(LoadError::OnlyPytorch { folder: folder.to_owned() })
            }
            _ => Err(LoadError::Missing { missing, folder: folder.to_owned() }),
        }
    }
}

/// Files as the subject of a sentence: `a is`, `a and b are`.
pub(crate) struct Listed<'a>(pub(crate) &'a [PathBuf]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, file) in self.0.iter().enumerate() {
            let before = if index == 0 { "" } else { " and " };
            write!(f, "{before}{}", file.display())?;
        }
        f.write_str(if self.0.len() == 1 { " is" } else { " are" })
    }
}
