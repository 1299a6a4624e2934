//! The half of BLIP that speaks: BERT as a decoder, normalised after each step, with attention to the picture in every
//! layer.
//!
//! Devlin et al., "BERT" (2018); in BLIP, Li et al. (2022), section 3.1: the image-grounded text decoder.

use crate::attention::{KeysValues, attend, split_heads};
use crate::config::TextConfig;
use crate::error::LoadError;
use crate::weights::Part;
use candle_core::{Result, Tensor};
use candle_nn::{LayerNorm, Linear};

/// The decoder with its weights. What it remembers of one caption is in [`Speech`], so many can be made at a time.
#[derive(Debug)]
pub(crate) struct TextDecoder {
    words: Tensor,
    positions: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    head: Head,
}

#[derive(Debug)]
struct Layer {
    to_text: Attention,
    to_picture: Attention,
    expand: Linear,
    contract: Linear,
    norm: LayerNorm,
}

#[derive(Debug)]
struct Attention {
    heads: usize,
    query: Linear,
    key: Linear,
    value: Linear,
    dense: Linear,
    norm: LayerNorm,
}

/// From what the last layer says to one number for each word.
#[derive(Debug)]
struct Head {
    dense: Linear,
    norm: LayerNorm,
    words: Linear,
}

/// A caption on its way: what the decoder has seen and said so far.
pub(crate) struct Speech<'a> {
    decoder: &'a TextDecoder,
    position: usize,
    layers: Vec<Memory>,
}

/// What one layer attends to.
struct Memory {
    /// The same for every token, so it is computed once.
    picture: KeysValues,
    /// Of the tokens so far.
    text: Option<KeysValues>,
}

impl TextDecoder {
    /// # Errors
    /// `Weights`.
    pub(crate) fn load(
        config: &TextConfig,
        picture_size: usize,
        weights: &Part<'_>,
    ) -> std::result::Result<Self, LoadError> {
        let hidden = config.hidden_size;
        let (bert, predictions) = (weights.part("bert"), weights.part("cls").part("predictions"));
        let (embeddings, layers) = (bert.part("embeddings"), bert.part("encoder").part("layer"));
        let words = embeddings.part("word_embeddings").tensor("weight", (config.vocab_size, hidden))?;
        Ok(Self {
            head: Head::load(config, &words, &predictions)?,
            words,
            positions: embeddings
                .part("position_embeddings")
                .tensor("weight", (config.max_position_embeddings, hidden))?,
            norm: embeddings.layer_norm("LayerNorm", hidden, config.layer_norm_eps)?,
            layers: (0..config.num_hidden_layers)
                .map(|index| Layer::load(config, picture_size, &layers.part(index)))
                .collect::<std::result::Result<_, _>>()?,
        })
    }

    /// Begins a caption of a picture, given as tokens × the hidden size of the encoder.
    pub(crate) fn begin(&self, picture: &Tensor) -> Result<Speech<'_>> {
        let memory = |layer: &Layer| Ok(Memory { picture: layer.to_picture.remember(picture)?, text: None });
        Ok(Speech {
            decoder: self,
            position: 0,
            layers: self.layers.iter().map(memory).collect::<Result<_>>()?,
        })
    }
}

impl Speech<'_> {
    /// Takes `token` as the next of the caption; answers, for each word, how likely it follows (as logits).
    pub(crate) fn next(&mut self, token: u32) -> Result<Vec<f32>> {
        let decoder = self.decoder;
        let word = decoder.words.narrow(0, token as usize, 1)?;
        let position = decoder.positions.narrow(0, self.position, 1)?;
        let mut state = (word + position)?.apply(&decoder.norm)?;
        for (layer, memory) in decoder.layers.iter().zip(&mut self.layers) {
            state = layer.forward(&state, memory)?;
        }
        self.position += 1;
        decoder.head.forward(&state)?.flatten_all()?.to_vec1()
    }
}

impl Layer {
    fn load(
        config: &TextConfig,
        picture_size: usize,
        weights: &Part<'_>,
    ) -> std::result::Result<Self, LoadError> {
        let (hidden, intermediate) = (config.hidden_size, config.intermediate_size);
        let output = weights.part("output");
        Ok(Self {
            to_text: Attention::load(config, hidden, &weights.part("attention"))?,
            to_picture: Attention::load(config, picture_size, &weights.part("crossattention"))?,
            expand: weights.part("intermediate").linear("dense", hidden, intermediate)?,
            contract: output.linear("dense", intermediate, hidden)?,
            norm: output.layer_norm("LayerNorm", hidden, config.layer_norm_eps)?,
        })
    }

    fn forward(&self, state: &Tensor, memory: &mut Memory) -> Result<Tensor> {
        // A token attends to those before it and to itself; as they come one at a time, no mask is needed.
        let said = self.to_text.remember(state)?;
        let text = match &memory.text {
            Some(before) => before.then(&said)?,
            None => said,
        };
        let state = self.to_text.forward(state, &text)?;
        memory.text = Some(text);
        let state = self.to_picture.forward(&state, &memory.picture)?;
        let thought = state.apply(&self.expand)?.gelu_erf()?.apply(&self.contract)?;
        (state + thought)?.apply(&self.norm)
    }
}

impl Attention {
    /// `attended_size` is the hidden size of what is attended to.
    fn load(
        config: &TextConfig,
        attended_size: usize,
        weights: &Part<'_>,
    ) -> std::result::Result<Self, LoadError> {
        let hidden = config.hidden_size;
        let (own, output) = (weights.part("self"), weights.part("output"));
        Ok(Self {
            heads: config.num_attention_heads,
            query: own.linear("query", hidden, hidden)?,
            key: own.linear("key", attended_size, hidden)?,
            value: own.linear("value", attended_size, hidden)?,
            dense: output.linear("dense", hidden, hidden)?,
            norm: output.layer_norm("LayerNorm", hidden, config.layer_norm_eps)?,
        })
    }

    fn remember(&self, tokens: &Tensor) -> Result<KeysValues> {
        Ok(KeysValues {
            keys: split_heads(&tokens.apply(&self.key)?, self.heads)?,
            values: split_heads(&tokens.apply(&self.value)?, self.heads)?,
        })
    }

    fn forward(&self, state: &Tensor, to: &KeysValues) -> Result<Tensor> {
        let query = split_heads(&state.apply(&self.query)?, self.heads)?;
        (state + attend(&query, to)?.apply(&self.dense)?)?.apply(&self.norm)
    }
}

impl Head {
    fn load(config: &TextConfig, words: &Tensor, weights: &Part<'_>) -> std::result::Result<Self, LoadError> {
        let (hidden, vocabulary) = (config.hidden_size, config.vocab_size);
        let transform = weights.part("transform");
        // A file may leave out what it holds already: the words as they go in.
        let words = if weights.holds("decoder.weight") {
            weights.tensor("decoder.weight", (vocabulary, hidden))?
        } else {
            words.clone()
        };
        let bias = if weights.holds("bias") { "bias" } else { "decoder.bias" };
        Ok(Self {
            dense: transform.linear("dense", hidden, hidden)?,
            norm: transform.layer_norm("LayerNorm", hidden, config.layer_norm_eps)?,
            words: Linear::new(words, Some(weights.tensor(bias, vocabulary)?)),
        })
    }

    fn forward(&self, state: &Tensor) -> Result<Tensor> {
        state.apply(&self.dense)?.gelu_erf()?.apply(&self.norm)?.apply(&self.words)
    }
}
