//! The reference: a copy of its files to spoil, its pictures, and what is expected of them.

pub(crate) use crate::reference::{Expected, expected, folder};
use darkroom_local_captioner::{CaptionError, LoadError, LocalCaptioner, Picture, Said};
use serde_json::{Map, Value, json};
use std::error::Error;
use std::fs;
use std::path::Path;
use tempfile::TempDir;

impl Expected {
    pub(crate) fn shown_to(&self, captioner: &LocalCaptioner) -> Result<Said, CaptionError> {
        self.shown_until(captioner, &|| false)
    }

    pub(crate) fn shown_until(
        &self,
        captioner: &LocalCaptioner,
        cancelled: &dyn Fn() -> bool,
    ) -> Result<Said, CaptionError> {
        let samples = self.samples();
        captioner.caption(&Picture::new(self.width, self.height, &samples)?, cancelled)
    }
}

/// The expectation of this name.
pub(crate) fn picture(name: &str) -> Expected {
    expected().into_iter().find(|expected| expected.name == name).unwrap()
}

pub(crate) fn captioner() -> LocalCaptioner {
    LocalCaptioner::load(&folder()).unwrap()
}

/// The files of the reference where they can be spoilt; gone when it is dropped.
pub(crate) struct Model(TempDir);

impl Model {
    pub(crate) fn new() -> Self {
        let model = Self::with(&["config.json", "model.safetensors", "tokenizer.json"]);
        model.load().unwrap();
        model
    }

    /// With some of the files alone.
    pub(crate) fn with(files: &[&str]) -> Self {
        let model = tempfile::tempdir().unwrap();
        for file in files {
            fs::copy(folder().join(file), model.path().join(file)).unwrap();
        }
        Self(model)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn load(&self) -> Result<LocalCaptioner, LoadError> {
        LocalCaptioner::load(self.path())
    }

    /// What loading complains of: the error and its causes, with the folder as `MODEL`.
    pub(crate) fn complaint(&self) -> String {
        let error = self.load().unwrap_err();
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            said = format!("{said}: {error}");
            cause = error.source();
        }
        said.replace(self.path().to_str().unwrap(), "MODEL")
    }

    pub(crate) fn rewrite(&self, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
        let path = self.path().join(file);
        fs::write(&path, change(fs::read(&path).unwrap())).unwrap();
    }

    /// Sets `half.field` of the configuration.
    pub(crate) fn configure(&self, half: &str, field: &str, value: Value) {
        self.rewrite("config.json", |bytes| {
            let mut config: Value = serde_json::from_slice(&bytes).unwrap();
            config[half][field] = value;
            config.to_string().into_bytes()
        });
    }

    /// Changes the list of tensors, and leaves the numbers as they are.
    pub(crate) fn relist(&self, change: impl FnOnce(&mut Map<String, Value>)) {
        self.rewrite("model.safetensors", |bytes| {
            let (length, rest) = bytes.split_first_chunk::<8>().unwrap();
            let (header, numbers) = rest.split_at(usize::try_from(u64::from_le_bytes(*length)).unwrap());
            let mut header: Map<String, Value> = serde_json::from_slice(header).unwrap();
            change(&mut header);
            let header = json!(header).to_string();
            [&(header.len() as u64).to_le_bytes(), header.as_bytes(), numbers].concat()
        });
    }
}
