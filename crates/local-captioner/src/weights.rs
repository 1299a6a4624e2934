//! Weights in a safetensors file, read one tensor at a time: memory holds each of them once, and what a file promises
//! is held against its length and against the configuration before memory is taken for it.
//!
//! The format: eight bytes with the length of the header, the header in JSON, and the numbers in little endian
//! (<https://github.com/huggingface/safetensors>).

use crate::error::{LoadError, WeightsError};
use candle_core::{Device, Shape, Tensor};
use candle_nn::{LayerNorm, Linear};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The longest header that is read, in bytes; that of the larger published model has about 80,000.
const MAX_HEADER_BYTES: u64 = 16 << 20;

/// How much is read at a time, in bytes: whole numbers, and few enough to stay in the processor's cache.
const BLOCK_BYTES: usize = 64 << 10;

const NUMBER_BYTES: usize = size_of::<f32>();

/// An open file of weights.
pub(crate) struct Weights {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the numbers begin, in bytes from the beginning of the file.
    numbers_at: u64,
}

impl Weights {
    /// Opens the file and reads its header.
    ///
    /// # Errors
    /// `Read` and `Weights`.
    pub(crate) fn open(path: &Path) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Read { file: path.to_owned(), source };
        let useless = |source| LoadError::Weights { file: path.to_owned(), source: Box::new(source) };
        let file = File::open(path).map_err(unreadable)?;
        let found = file.metadata().map_err(unreadable)?.len();
        let (header, numbers_at) = read_header(&file, found).map_err(useless)?;
        // This also makes sure that each tensor has the bytes that its shape asks for, and none of another's.
        let metadata: Metadata = serde_json::from_slice(&header)
            .map_err(|error| useless(WeightsError::Header(error.to_string())))?;
        let expected = numbers_at.saturating_add(metadata.data_len() as u64);
        if found < expected {
            return Err(useless(WeightsError::Cut { expected, found }));
        }
        Ok(Self { path: path.to_owned(), file, metadata, numbers_at })
    }

    /// The weights whose names begin with `name` and a dot.
    pub(crate) fn part(&self, name: &str) -> Part<'_> {
        Part { weights: self, prefix: format!("{name}.") }
    }

    fn read(&self, tensor: &str, published: &Shape, shape: Shape) -> Result<Tensor, WeightsError> {
        let info = self
            .metadata
            .info(tensor)
            .ok_or_else(|| WeightsError::MissingTensor { tensor: tensor.to_owned() })?;
        check(tensor, info, published)?;
        let numbers = self
            .numbers(info, published.elem_count())
            .map_err(|source| WeightsError::Read { tensor: tensor.to_owned(), source })?;
        Tensor::from_vec(numbers, shape, &Device::Cpu)
            .map_err(|source| WeightsError::Tensor { tensor: tensor.to_owned(), source })
    }

    fn numbers(&self, info: &TensorInfo, count: usize) -> io::Result<Vec<f32>> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(self.numbers_at + info.data_offsets.0 as u64))?;
        let mut numbers = Vec::with_capacity(count);
        let mut block = vec![0; BLOCK_BYTES];
        while numbers.len() < count {
            block.truncate((count - numbers.len()) * NUMBER_BYTES);
            file.read_exact(&mut block)?;
            let (whole, _) = block.as_chunks::<NUMBER_BYTES>();
            numbers.extend(whole.iter().map(|bytes| f32::from_le_bytes(*bytes)));
        }
        Ok(numbers)
    }
}

fn read_header(mut file: &File, file_bytes: u64) -> Result<(Vec<u8>, u64), WeightsError> {
    let damaged = |error: &dyn Display| WeightsError::Header(error.to_string());
    let mut length = [0; 8];
    file.read_exact(&mut length).map_err(|error| damaged(&error))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER_BYTES {
        return Err(damaged(&format_args!("a header of {length} bytes")));
    }
    let numbers_at = length + 8;
    if file_bytes < numbers_at {
        return Err(WeightsError::Cut { expected: numbers_at, found: file_bytes });
    }
    let mut header = Vec::new();
    file.take(length).read_to_end(&mut header).map_err(|error| damaged(&error))?;
    Ok((header, numbers_at))
}

fn check(tensor: &str, info: &TensorInfo, shape: &Shape) -> Result<(), WeightsError> {
    let tensor = tensor.to_owned();
    if info.dtype != Dtype::F32 {
        return Err(WeightsError::WrongType { tensor, found: format!("{:?}", info.dtype) });
    }
    if info.shape != shape.dims() {
        let (expected, found) = (shape.dims().to_vec(), info.shape.clone());
        return Err(WeightsError::WrongShape { tensor, expected, found });
    }
    Ok(())
}

/// Weights that belong together, by the beginning of their names.
pub(crate) struct Part<'a> {
    weights: &'a Weights,
    /// With a dot at its end.
    prefix: String,
}

impl Part<'_> {
    /// The part of this part.
    pub(crate) fn part(&self, name: impl Display) -> Self {
        Self { weights: self.weights, prefix: format!("{}{name}.", self.prefix) }
    }

    /// Whether there is a tensor of this name.
    pub(crate) fn holds(&self, name: &str) -> bool {
        self.weights.metadata.info(&format!("{}{name}", self.prefix)).is_some()
    }

    /// # Errors
    /// `Weights`, with the name of the tensor.
    pub(crate) fn tensor(&self, name: &str, shape: impl Into<Shape>) -> Result<Tensor, LoadError> {
        let shape = shape.into();
        self.reshaped(name, shape.clone(), shape)
    }

    /// A tensor that has the shape `published` in the file, in another shape.
    ///
    /// # Errors
    /// As for [`Part::tensor`].
    pub(crate) fn reshaped(
        &self,
        name: &str,
        published: impl Into<Shape>,
        shape: impl Into<Shape>,
    ) -> Result<Tensor, LoadError> {
        self.weights.read(&format!("{}{name}", self.prefix), &published.into(), shape.into()).map_err(
            |source| LoadError::Weights { file: self.weights.path.clone(), source: Box::new(source) },
        )
    }

    /// A linear layer from `inputs` to `outputs` numbers.
    ///
    /// # Errors
    /// As for [`Part::tensor`].
    pub(crate) fn linear(&self, name: &str, inputs: usize, outputs: usize) -> Result<Linear, LoadError> {
        let part = self.part(name);
        let weight = part.tensor("weight", (outputs, inputs))?;
        Ok(Linear::new(weight, Some(part.tensor("bias", outputs)?)))
    }

    /// A normalisation of `size` numbers.
    ///
    /// # Errors
    /// As for [`Part::tensor`].
    pub(crate) fn layer_norm(&self, name: &str, size: usize, epsilon: f64) -> Result<LayerNorm, LoadError> {
        let part = self.part(name);
        Ok(LayerNorm::new(part.tensor("weight", size)?, part.tensor("bias", size)?, epsilon))
    }
}
