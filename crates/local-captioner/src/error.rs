//! What goes wrong with a model's files and with a caption.

use crate::files::{Listed, MODEL, ORIGIN, PYTORCH_WEIGHTS, WEIGHTS};
use std::io;
use std::path::PathBuf;
use thiserror::Error;

/// Why a model could not be loaded. Each says which file it is about.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// Not all files are there.
    #[error(
        "{} missing: put config.json, {WEIGHTS} and tokenizer.json of {MODEL} (about 1 GB, from {ORIGIN}; \
         {PYTORCH_WEIGHTS} can be converted) into {}",
        Listed(missing),
        folder.display()
    )]
    Missing {
        /// The files that are not there.
        missing: Vec<PathBuf>,
        /// Where they belong.
        folder: PathBuf,
    },
    /// The weights are there in PyTorch's format alone.
    #[error(
        "{} is missing, and {} beside it is not read as it is: make the one from the other with `cargo run --release \
         --package darkroom-local-captioner --example convert -- {}`",
        folder.join(WEIGHTS).display(),
        PYTORCH_WEIGHTS,
        folder.display()
    )]
    OnlyPytorch {
        /// Where they are.
        folder: PathBuf,
    },
    /// The operating system refuses.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The configuration describes no model that can be built.
    #[error("{} is no configuration of a BLIP model", file.display())]
    Config {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: ConfigError,
    },
    /// The file of weights is none, or damaged.
    #[error("{} does not hold weights", file.display())]
    Weights {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: Box<WeightsError>,
    },
    /// The tokenizer cannot be read.
    #[error("{} is no tokenizer", file.display())]
    Tokenizer {
        /// The file.
        file: PathBuf,
        /// What the library says.
        source: tokenizers::Error,
    },
    /// The tokenizer is for other words than the weights.
    #[error(
        "{} belongs to another model: it has {words} words, and token {end}, which ends a caption, is {}; the model \
         has {vocabulary} words",
        file.display(),
        if *end_known { "among them" } else { "not among them" }
    )]
    OtherTokenizer {
        /// The file.
        file: PathBuf,
        /// How many tokens the tokenizer knows.
        words: usize,
        /// How many tokens the model knows.
        vocabulary: usize,
        /// The id of the token that ends a caption.
        end: u32,
        /// Whether the tokenizer knows that token.
        end_known: bool,
    },
}

/// What is wrong with a `config.json`.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// It is not JSON, or a field has a value of another type.
    #[error("not the JSON that is expected")]
    Json(#[source] serde_json::Error),
    /// It is the configuration of something else.
    #[error("model_type is {model_type:?}, not \"blip\"")]
    OtherModel {
        /// What it says that it is.
        model_type: String,
    },
    /// A number is senseless, or larger than any model of this kind.
    #[error("{field} is {value}, not from {least} to {most}")]
    OutOfRange {
        /// The field.
        field: String,
        /// Its value.
        value: usize,
        /// The smallest that is accepted.
        least: usize,
        /// The largest that is accepted.
        most: usize,
    },
    /// A size cannot be cut into equal parts.
    #[error("{field} is {value}, which {by}, {divisor}, does not divide")]
    Indivisible {
        /// The field.
        field: String,
        /// Its value.
        value: usize,
        /// The field that has to divide it.
        by: &'static str,
        /// The value of that field.
        divisor: usize,
    },
    /// The epsilon of the normalisation is senseless.
    #[error("{field} is {value}, not above 0 and up to 0.1")]
    Epsilon {
        /// The field.
        field: String,
        /// Its value.
        value: f64,
    },
    /// Another activation function than BLIP has.
    #[error("{field} is {value:?}; only \"gelu\" is known")]
    Activation {
        /// The field.
        field: String,
        /// Its value.
        value: String,
    },
}

/// What is wrong with a file of weights.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The list of tensors at its beginning cannot be read.
    #[error("its header is damaged, or it is no safetensors file: {0}")]
    Header(String),
    /// It is not as long as it says, most likely because a download broke off.
    #[error("it has {found} bytes, but by its header {expected}")]
    Cut {
        /// The bytes that it should have.
        expected: u64,
        /// The bytes that it has.
        found: u64,
    },
    /// A tensor of the model is not in it.
    #[error("tensor {tensor} is missing")]
    MissingTensor {
        /// The name of the tensor.
        tensor: String,
    },
    /// A tensor is not of the shape that the configuration asks for.
    #[error("tensor {tensor} has the shape {found:?}, by config.json it should have {expected:?}")]
    WrongShape {
        /// The name of the tensor.
        tensor: String,
        /// The shape by the configuration.
        expected: Vec<usize>,
        /// The shape in the file.
        found: Vec<usize>,
    },
    /// A tensor has numbers of another type than 32-bit floats.
    #[error("tensor {tensor} has numbers of type {found}, not F32")]
    WrongType {
        /// The name of the tensor.
        tensor: String,
        /// The type in the file.
        found: String,
    },
    /// A tensor cannot be read.
    #[error("cannot read tensor {tensor}")]
    Read {
        /// The name of the tensor.
        tensor: String,
        /// What the system says.
        source: io::Error,
    },
    /// Candle refuses a tensor.
    #[error("cannot make tensor {tensor}")]
    Tensor {
        /// The name of the tensor.
        tensor: String,
        /// What candle says.
        source: candle_core::Error,
    },
}

/// Why there is no caption.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CaptionError {
    /// The caller does not want it any more.
    #[error("cancelled")]
    Cancelled,
    /// The samples are not those of a picture of this size.
    #[error("{samples} samples are no RGB picture of {width} × {height} pixels")]
    NotAPicture {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// How many samples there are.
        samples: usize,
    },
    /// The picture cannot be resized to what the model looks at.
    #[error("cannot resize the picture: {0}")]
    Resize(String),
    /// The model cannot be computed.
    #[error("cannot compute the model")]
    Model(#[from] candle_core::Error),
    /// The model computes to nothing that can be compared: its weights are damaged.
    #[error("the model computes to no number: its weights are damaged")]
    NotANumber,
    /// The tokens cannot be turned into text.
    #[error("cannot turn tokens into text")]
    Decode(#[source] tokenizers::Error),
    /// The model has nothing to say.
    #[error("the model said nothing, in {generated_tokens} tokens")]
    Empty {
        /// How many tokens there are, none of which is a word.
        generated_tokens: u32,
    },
}

/// Why weights could not be converted.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The old file cannot be read.
    #[error("cannot read {}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What candle says.
        source: candle_core::Error,
    },
    /// The old file has nothing that makes captions.
    #[error("{} does not hold a BLIP model", file.display())]
    Empty {
        /// The file.
        file: PathBuf,
    },
    /// The new file cannot be written.
    #[error("cannot write {}", file.display())]
    Write {
        /// The file.
        file: PathBuf,
        /// What candle or the system says.
        source: candle_core::Error,
    },
}
