//! Captions for pictures without a network: BLIP (Li et al., 2022, <https://arxiv.org/abs/2201.12086>) on the
//! processor, with the weights that Salesforce published as `blip-image-captioning-base` and `-large`.
//!
//! The way of a picture: `picture` (resized, normalised, cut into patches) › `vision` (what is seen) › `text` and
//! `generate` (one token at a time) › text. What the model is made from: `files` › `config` › `weights`.
//!
//! Computing uses as many threads as `RAYON_NUM_THREADS` says, otherwise one for each processor; they are shared by all
//! captions that are made at a time. Beside the weights, each of these takes about 60 MB.
//!
//! ```no_run
//! use darkroom_local_captioner::{LocalCaptioner, Picture};
//!
//! let captioner = LocalCaptioner::load("/models/blip".as_ref())?;
//! let two_pixels = Picture::new(2, 1, &[255, 255, 255, 0, 0, 0])?;
//! let said = captioner.caption(&two_pixels, &|| false)?;
//! assert!(!said.text.is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attention;
mod config;
mod convert;
mod error;
mod files;
mod generate;
mod picture;
mod text;
mod vision;
mod weights;

pub use convert::convert_pytorch;
pub use error::{CaptionError, ConfigError, ConvertError, LoadError, WeightsError};
pub use picture::Picture;

use config::{Config, VisionConfig};
use files::Files;
use generate::{Bounds, MAX_NEW_TOKENS, greedy};
use picture::Patches;
use std::fmt;
use std::path::Path;
use text::TextDecoder;
use tokenizers::Tokenizer;
use vision::VisionEncoder;
use weights::Weights;

/// A caption model in memory. It does not change, so one serves any number of threads.
pub struct LocalCaptioner {
    vision_config: VisionConfig,
    vision: VisionEncoder,
    text: TextDecoder,
    tokenizer: Tokenizer,
    bounds: Bounds,
}

/// A caption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The caption, never empty.
    pub text: String,
    /// How many tokens it is made of, without those that mark its beginning and its end. Words are one token or a few.
    pub generated_tokens: u32,
}

impl LocalCaptioner {
    /// Loads `config.json`, `model.safetensors` and `tokenizer.json` from `folder`, as Hugging Face has them for
    /// `Salesforce/blip-image-captioning-base` and `-large`. Takes as much memory as the weights have bytes.
    ///
    /// # Errors
    /// If one of the files is not there, not readable, damaged, or does not fit the others.
    pub fn load(folder: &Path) -> Result<Self, LoadError> {
        let files = Files::find(folder)?;
        let Config { vision_config, text_config, .. } = Config::read(&files.config)?;
        let tokenizer = Tokenizer::from_file(&files.tokenizer)
            .map_err(|source| LoadError::Tokenizer { file: files.tokenizer.clone(), source })?;
        let (words, end) = (tokenizer.get_vocab_size(true), text_config.sep_token_id);
        let end_known = tokenizer.id_to_token(end).is_some();
        if words > text_config.vocab_size || !end_known {
            let (file, vocabulary) = (files.tokenizer, text_config.vocab_size);
            return Err(LoadError::OtherTokenizer { file, words, vocabulary, end, end_known });
        }
        let weights = Weights::open(&files.weights)?;
        Ok(Self {
            vision: VisionEncoder::load(&vision_config, &weights.part("vision_model"))?,
            text: TextDecoder::load(&text_config, vision_config.hidden_size, &weights.part("text_decoder"))?,
            vision_config,
            tokenizer,
            bounds: Bounds {
                start: text_config.bos_token_id,
                end,
                most: MAX_NEW_TOKENS.min(text_config.max_position_embeddings),
            },
        })
    }

    /// Says in English what is to be seen in a picture: always the same for the same picture. Blocks for seconds; asks
    /// `cancelled` between layers and between tokens, so several times a second.
    ///
    /// # Errors
    /// `Cancelled` once `cancelled` answers true, `Empty` if the model says nothing, otherwise what is wrong with the
    /// model.
    pub fn caption(&self, picture: &Picture<'_>, cancelled: &dyn Fn() -> bool) -> Result<Said, CaptionError> {
        let patches = Patches::of(picture, &self.vision_config)?;
        let seen = self.vision.encode(patches, cancelled)?;
        let tokens = greedy(&self.text, &seen, self.bounds, cancelled)?;
        let text = self.tokenizer.decode(&tokens, true).map_err(CaptionError::Decode)?;
        // An apostrophe is a token of its own, and the tokenizer leaves the spaces around it; transformers, the measure here, takes
        // all of them for apostrophes.
        let text = text.trim().replace(" ' ", "'");
        let generated_tokens = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        if text.is_empty() {
            return Err(CaptionError::Empty { generated_tokens });
        }
        Ok(Said { text, generated_tokens })
    }
}

impl fmt::Debug for LocalCaptioner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalCaptioner")
            .field("vision_config", &self.vision_config)
            .field("bounds", &self.bounds)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "tests/captioner.rs"]
mod tests;
