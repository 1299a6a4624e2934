//! PyTorch's own format.

use crate::support::{Model, expected};
use darkroom_local_captioner::{ConvertError, convert_pytorch};
use std::fs;

#[test]
fn converted_weights_say_the_same() {
    let model = Model::with(&["config.json", "pytorch_model.bin", "tokenizer.json"]);
    assert_eq!(convert_pytorch(model.path()).unwrap(), model.path().join("model.safetensors"));
    let captioner = model.load().unwrap();
    for expected in expected() {
        assert_eq!(expected.shown_to(&captioner).unwrap().text, expected.text.trim(), "{}", expected.name);
    }
    assert_eq!(fs::read_dir(model.path()).unwrap().count(), 4, "nothing unfinished is left");
}

#[test]
fn what_cannot_be_converted_is_said() {
    let nothing = Model::with(&[]);
    assert!(matches!(convert_pytorch(nothing.path()), Err(ConvertError::Read { .. })));
    let cut = Model::with(&["pytorch_model.bin"]);
    cut.rewrite("pytorch_model.bin", |bytes| bytes[..bytes.len() / 2].to_vec());
    assert!(matches!(convert_pytorch(cut.path()), Err(ConvertError::Read { .. })));
    assert!(!cut.path().join("model.safetensors").exists());
}
