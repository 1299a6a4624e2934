//! Attention with several heads, for one picture at a time: the tensors have no dimension for a batch.

use candle_core::{Result, Tensor};

/// What is attended to: keys and values of tokens, of the shape heads × tokens × numbers of a head.
#[derive(Debug, Clone)]
pub(crate) struct KeysValues {
    pub(crate) keys: Tensor,
    pub(crate) values: Tensor,
}

impl KeysValues {
    /// These tokens, and behind them those of `next`.
    pub(crate) fn then(&self, next: &Self) -> Result<Self> {
        Ok(Self {
            keys: Tensor::cat(&[&self.keys, &next.keys], 1)?,
            values: Tensor::cat(&[&self.values, &next.values], 1)?,
        })
    }
}

/// Tokens × hidden size as heads × tokens × numbers of a head.
pub(crate) fn split_heads(tokens: &Tensor, heads: usize) -> Result<Tensor> {
    let (count, size) = tokens.dims2()?;
    tokens.reshape((count, heads, size / heads))?.transpose(0, 1)?.contiguous()
}

/// What each query finds, as tokens × hidden size: the mean of the values, weighted by how well the keys fit.
pub(crate) fn attend(queries: &Tensor, to: &KeysValues) -> Result<Tensor> {
    let (_, _, head_size) = queries.dims3()?;
    let queries = (queries / (head_size as f64).sqrt())?;
    let fit = queries.matmul(&to.keys.t()?)?;
    candle_nn::ops::softmax_last_dim(&fit)?.matmul(&to.values)?.transpose(0, 1)?.flatten_from(1)
}
