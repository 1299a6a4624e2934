//! Files that are not there.

use crate::support::Model;

const REST: &str = "put config.json, model.safetensors and tokenizer.json of Salesforce/blip-image-captioning-base \
                    (about 1 GB, from https://huggingface.co/Salesforce/blip-image-captioning-base; \
                    pytorch_model.bin can be converted) into MODEL";

#[test]
fn each_missing_file_is_named_with_what_belongs_there() {
    let files = ["config.json", "model.safetensors", "tokenizer.json"];
    for missing in files {
        let others: Vec<_> = files.into_iter().filter(|file| *file != missing).collect();
        assert_eq!(Model::with(&others).complaint(), format!("MODEL/{missing} is missing: {REST}"));
    }
}

#[test]
fn all_missing_files_are_named() {
    let all = "MODEL/config.json and MODEL/model.safetensors and MODEL/tokenizer.json are missing";
    assert_eq!(Model::with(&[]).complaint(), format!("{all}: {REST}"));
}

#[test]
fn weights_of_pytorch_alone_are_told_apart() {
    assert_eq!(
        Model::with(&["config.json", "pytorch_model.bin", "tokenizer.json"]).complaint(),
        "MODEL/model.safetensors is missing, and pytorch_model.bin beside it is not read as it is: make the one from \
         the other with `cargo run --release --package darkroom-local-captioner --example convert -- MODEL`"
    );
}

#[test]
fn a_file_of_pytorch_beside_the_right_one_does_no_harm() {
    Model::with(&["config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json"]).load().unwrap();
}
