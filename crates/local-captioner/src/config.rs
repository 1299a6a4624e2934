//! `config.json` of a BLIP model: read, completed with BLIP's defaults, and held against bounds before anything is
//! built from it.
//!
//! Hugging Face writes only the fields that differ from the defaults of its `BlipTextConfig` and `BlipVisionConfig`
//! (`transformers`, `models/blip/configuration_blip.py`), so those are the defaults here.

use crate::error::{ConfigError, LoadError};
use serde::Deserialize;
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;

/// Patches of a picture. Attention takes memory by the square of it; the published models have 24 × 24.
const MAX_PATCHES: usize = 48 * 48;

/// What the file says of the two halves of the model.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct Config {
    model_type: String,
    pub(crate) vision_config: VisionConfig,
    pub(crate) text_config: TextConfig,
}

/// The half that looks: a vision transformer.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct VisionConfig {
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    /// The side of the square that every picture is resized to, in pixels.
    pub(crate) image_size: usize,
    /// The side of a patch, in pixels.
    pub(crate) patch_size: usize,
    pub(crate) layer_norm_eps: f64,
    pub(crate) hidden_act: String,
}

/// The half that speaks: BERT as a decoder, with attention to the picture.
#[derive(Debug, Clone, Deserialize)]
#[serde(default)]
pub(crate) struct TextConfig {
    pub(crate) vocab_size: usize,
    pub(crate) hidden_size: usize,
    pub(crate) intermediate_size: usize,
    pub(crate) num_hidden_layers: usize,
    pub(crate) num_attention_heads: usize,
    pub(crate) max_position_embeddings: usize,
    pub(crate) layer_norm_eps: f64,
    /// What a caption begins with.
    pub(crate) bos_token_id: u32,
    /// What a caption ends with. BLIP does not use the `eos_token_id` that its files hold as well.
    pub(crate) sep_token_id: u32,
    pub(crate) hidden_act: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model_type: "blip".to_owned(),
            vision_config: VisionConfig::default(),
            text_config: TextConfig::default(),
        }
    }
}

impl Default for VisionConfig {
    fn default() -> Self {
        Self {
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            num_attention_heads: 12,
            image_size: 384,
            patch_size: 16,
            layer_norm_eps: 1e-5,
            hidden_act: "gelu".to_owned(),
        }
    }
}

impl Default for TextConfig {
    fn default() -> Self {
        Self {
            vocab_size: 30_524,
            hidden_size: 768,
            intermediate_size: 3072,
            num_hidden_layers: 12,
            // The published files say 12; a file that says nothing was written for this.
            num_attention_heads: 8,
            max_position_embeddings: 512,
            layer_norm_eps: 1e-12,
            bos_token_id: 30_522,
            sep_token_id: 102,
            hidden_act: "gelu".to_owned(),
        }
    }
}

impl Config {
    /// # Errors
    /// `Read` and `Config`.
    pub(crate) fn read(file: &Path) -> Result<Self, LoadError> {
        let text =
            fs::read_to_string(file).map_err(|source| LoadError::Read { file: file.to_owned(), source })?;
        Self::parse(&text).map_err(|source| LoadError::Config { file: file.to_owned(), source })
    }

    fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = serde_json::from_str(text).map_err(ConfigError::Json)?;
        if config.model_type != "blip" {
            return Err(ConfigError::OtherModel { model_type: config.model_type });
        }
        config.vision_config.check()?;
        config.text_config.check()?;
        Ok(config)
    }
}

impl VisionConfig {
    /// Patches along one side.
    pub(crate) fn patches_per_side(&self) -> usize {
        self.image_size / self.patch_size
    }

    fn check(&self) -> Result<(), ConfigError> {
        check_transformer(
            "vision_config",
            [self.hidden_size, self.intermediate_size, self.num_hidden_layers, self.num_attention_heads],
            self.layer_norm_eps,
            &self.hidden_act,
        )?;
        within("vision_config.image_size", self.image_size, 1..=4096)?;
        within("vision_config.patch_size", self.patch_size, 1..=256)?;
        divides("vision_config.image_size", self.image_size, "patch_size", self.patch_size)?;
        let patches = self.patches_per_side().saturating_mul(self.patches_per_side());
        within("vision_config: the number of patches", patches, 1..=MAX_PATCHES)
    }
}

impl TextConfig {
    fn check(&self) -> Result<(), ConfigError> {
        check_transformer(
            "text_config",
            [self.hidden_size, self.intermediate_size, self.num_hidden_layers, self.num_attention_heads],
            self.layer_norm_eps,
            &self.hidden_act,
        )?;
        within("text_config.vocab_size", self.vocab_size, 1..=1_000_000)?;
        within("text_config.max_position_embeddings", self.max_position_embeddings, 1..=8192)?;
        let ids = 0..=self.vocab_size - 1;
        within("text_config.bos_token_id", self.bos_token_id as usize, ids.clone())?;
        within("text_config.sep_token_id", self.sep_token_id as usize, ids)
    }
}

/// What both halves have: the sizes hidden, intermediate, layers and heads.
fn check_transformer(
    half: &str,
    [hidden, intermediate, layers, heads]: [usize; 4],
    epsilon: f64,
    activation: &str,
) -> Result<(), ConfigError> {
    let field = |name: &str| format!("{half}.{name}");
    within(&field("hidden_size"), hidden, 1..=8192)?;
    within(&field("intermediate_size"), intermediate, 1..=32_768)?;
    within(&field("num_hidden_layers"), layers, 1..=96)?;
    within(&field("num_attention_heads"), heads, 1..=32)?;
    divides(&field("hidden_size"), hidden, "num_attention_heads", heads)?;
    if !(epsilon > 0.0 && epsilon <= 0.1) {
        return Err(ConfigError::Epsilon { field: field("layer_norm_eps"), value: epsilon });
    }
    if activation != "gelu" {
        return Err(ConfigError::Activation { field: field("hidden_act"), value: activation.to_owned() });
    }
    Ok(())
}

fn within(field: &str, value: usize, range: RangeInclusive<usize>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(ConfigError::OutOfRange { field: field.to_owned(), value, least: *range.start(), most: *range.end() })
}

fn divides(field: &str, value: usize, by: &'static str, divisor: usize) -> Result<(), ConfigError> {
    if value.is_multiple_of(divisor) {
        return Ok(());
    }
    Err(ConfigError::Indivisible { field: field.to_owned(), value, by, divisor })
}

#[cfg(test)]
#[path = "tests/config.rs"]
mod tests;
