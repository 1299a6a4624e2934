//! The half of BLIP that looks: a vision transformer, normalised before each step. One token for each patch, and one in
//! front of them.
//!
//! Dosovitskiy et al., "An Image is Worth 16x16 Words" (2020); in BLIP, Li et al. (2022), section 3.1.

use crate::attention::{KeysValues, attend, split_heads};
use crate::config::VisionConfig;
use crate::error::{CaptionError, LoadError};
use crate::picture::Patches;
use crate::weights::Part;
use candle_core::{Device, Module, Result, Tensor};
use candle_nn::{LayerNorm, Linear};

/// The encoder with its weights.
#[derive(Debug)]
pub(crate) struct VisionEncoder {
    patch: Linear,
    /// The token in front.
    class: Tensor,
    positions: Tensor,
    layers: Vec<Layer>,
    norm: LayerNorm,
}

#[derive(Debug)]
struct Layer {
    heads: usize,
    norm1: LayerNorm,
    queries_keys_values: Linear,
    projection: Linear,
    norm2: LayerNorm,
    expand: Linear,
    contract: Linear,
}

impl VisionEncoder {
    /// # Errors
    /// `Weights`.
    pub(crate) fn load(config: &VisionConfig, weights: &Part<'_>) -> std::result::Result<Self, LoadError> {
        let hidden = config.hidden_size;
        let tokens = config.patches_per_side() * config.patches_per_side() + 1;
        let embeddings = weights.part("embeddings");
        let layers = weights.part("encoder").part("layers");
        Ok(Self {
            patch: load_patch(config, &embeddings)?,
            class: embeddings.reshaped("class_embedding", (1, 1, hidden), (1, hidden))?,
            positions: embeddings.reshaped("position_embedding", (1, tokens, hidden), (tokens, hidden))?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(config, &layers.part(index)))
                .collect::<std::result::Result<_, _>>()?,
            norm: weights.layer_norm("post_layernorm", hidden, config.layer_norm_eps)?,
        })
    }

    /// What is seen in a picture, as tokens × hidden size. Asks `cancelled` before each layer.
    ///
    /// # Errors
    /// `Cancelled` and `Model`.
    pub(crate) fn encode(
        &self,
        patches: Patches,
        cancelled: &dyn Fn() -> bool,
    ) -> std::result::Result<Tensor, CaptionError> {
        let shape = (patches.count, patches.samples_each);
        let patches = Tensor::from_vec(patches.samples, shape, &Device::Cpu)?.apply(&self.patch)?;
        let mut tokens = (Tensor::cat(&[&self.class, &patches], 0)? + &self.positions)?;
        for layer in &self.layers {
            if cancelled() {
                return Err(CaptionError::Cancelled);
            }
            tokens = layer.forward(&tokens)?;
        }
        Ok(self.norm.forward(&tokens)?)
    }
}

/// The published weights are of a convolution that moves by whole patches, so each patch meets them once: a linear
/// layer.
fn load_patch(config: &VisionConfig, embeddings: &Part<'_>) -> std::result::Result<Linear, LoadError> {
    let (hidden, side) = (config.hidden_size, config.patch_size);
    let patch = embeddings.part("patch_embedding");
    let weight = patch.reshaped("weight", (hidden, 3, side, side), (hidden, 3 * side * side))?;
    Ok(Linear::new(weight, Some(patch.tensor("bias", hidden)?)))
}

impl Layer {
    fn load(config: &VisionConfig, weights: &Part<'_>) -> std::result::Result<Self, LoadError> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let (attention, mlp) = (weights.part("self_attn"), weights.part("mlp"));
        Ok(Self {
            heads: config.num_attention_heads,
            norm1: weights.layer_norm("layer_norm1", hidden, config.layer_norm_eps)?,
            queries_keys_values: attention.linear("qkv", hidden, 3 * hidden)?,
            projection: attention.linear("projection", hidden, hidden)?,
            norm2: weights.layer_norm("layer_norm2", hidden, config.layer_norm_eps)?,
            expand: mlp.linear("fc1", hidden, intermediate)?,
            contract: mlp.linear("fc2", intermediate, hidden)?,
        })
    }

    fn forward(&self, tokens: &Tensor) -> Result<Tensor> {
        let tokens = (tokens + self.look_around(&tokens.apply(&self.norm1)?)?)?;
        let thought = tokens.apply(&self.norm2)?.apply(&self.expand)?.gelu_erf()?.apply(&self.contract)?;
        tokens + thought
    }

    fn look_around(&self, tokens: &Tensor) -> Result<Tensor> {
        let (_, hidden) = tokens.dims2()?;
        let all = tokens.apply(&self.queries_keys_values)?;
        let third =
            |index: usize| split_heads(&all.narrow(1, index * hidden, hidden)?.contiguous()?, self.heads);
        let seen = attend(&third(0)?, &KeysValues { keys: third(1)?, values: third(2)? })?;
        seen.apply(&self.projection)
    }
}
