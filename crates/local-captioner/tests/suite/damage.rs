//! Files that are damaged, or do not fit each other.

use crate::support::{Expected, Model, captioner, expected, picture};
use darkroom_local_captioner::CaptionError;
use serde_json::{Value, json};

/// A tensor that every model has.
const NORM: &str = "vision_model.post_layernorm.weight";

#[test]
fn a_cut_file_of_weights_is_told_by_its_length() {
    let whole = 67_000..69_000;
    for keep in [0, 7, 8, 500, 9_000, 20_000, 60_000] {
        let model = Model::new();
        model.rewrite("model.safetensors", |bytes| {
            assert!(whole.contains(&bytes.len()));
            bytes[..keep].to_vec()
        });
        let complaint = model.complaint();
        let told =
            if keep < 8 { "header is damaged" } else { &format!("it has {keep} bytes, but by its header") };
        assert!(complaint.starts_with("MODEL/model.safetensors does not hold weights: "), "{complaint}");
        assert!(complaint.contains(told), "{keep}: {complaint}");
    }
}

#[test]
fn a_header_that_is_none_is_refused() {
    for header in [&b"{}{}"[..], b"nothing of the kind", b"[1]", &[0xff; 64]] {
        let model = Model::new();
        model.rewrite("model.safetensors", |_| [&(header.len() as u64).to_le_bytes(), header].concat());
        assert!(model.complaint().contains("header is damaged"), "{}", model.complaint());
    }
    let model = Model::new();
    model.rewrite("model.safetensors", |_| vec![0xff; 100]);
    assert!(model.complaint().contains("a header of 18446744073709551615 bytes"), "{}", model.complaint());
}

#[test]
fn a_tensor_that_is_not_there_is_named() {
    let names = [
        "vision_model.embeddings.class_embedding",
        "vision_model.encoder.layers.1.self_attn.qkv.bias",
        "text_decoder.bert.encoder.layer.1.crossattention.self.key.weight",
        "text_decoder.bert.embeddings.word_embeddings.weight",
        "text_decoder.cls.predictions.transform.LayerNorm.weight",
    ];
    for name in names {
        let model = Model::new();
        model.relist(|tensors| {
            let tensor = tensors.remove(name).unwrap();
            tensors.insert("elsewhere".to_owned(), tensor);
        });
        let complaint = model.complaint();
        assert_eq!(
            complaint,
            format!("MODEL/model.safetensors does not hold weights: tensor {name} is missing")
        );
    }
}

#[test]
fn words_that_go_out_as_they_go_in_need_not_be_there_twice() {
    let model = Model::new();
    model.relist(|tensors| {
        let words = tensors.remove("text_decoder.cls.predictions.decoder.weight").unwrap();
        tensors.insert("elsewhere".to_owned(), words);
        let bias = tensors.remove("text_decoder.cls.predictions.bias").unwrap();
        tensors.insert("text_decoder.cls.predictions.decoder.bias".to_owned(), bias);
    });
    // Other words than those of the reference, but words.
    assert_ne!(picture("dark").shown_to(&model.load().unwrap()).unwrap().text, picture("dark").text);
}

#[test]
fn a_tensor_that_is_not_as_it_should_be_is_named() {
    let lies = [
        ("shape", json!([3, 4]), "has the shape [3, 4], by config.json it should have [12]"),
        ("dtype", json!("I32"), "has numbers of type I32, not F32"),
    ];
    for (field, lie, complaint) in lies {
        let model = Model::new();
        model.relist(|tensors| tensors[NORM][field] = lie);
        let expected = format!("MODEL/model.safetensors does not hold weights: tensor {NORM} {complaint}");
        assert_eq!(model.complaint(), expected);
    }
}

#[test]
fn a_list_of_tensors_that_contradicts_itself_is_refused() {
    let lies = [
        ("shape", json!([4_000_000_000_u32])),
        ("shape", json!([u64::MAX, u64::MAX])),
        ("dtype", json!("F16")),
        ("data_offsets", json!([0, 48])),
        ("data_offsets", json!([48, 0])),
        ("data_offsets", json!([u64::MAX - 48, u64::MAX])),
    ];
    for (field, lie) in lies {
        let model = Model::new();
        model.relist(|tensors| tensors[NORM][field] = lie);
        assert!(model.complaint().contains("header is damaged"), "{}", model.complaint());
    }
}

#[test]
fn a_configuration_of_another_model_does_not_fit_the_weights() {
    let lies = [
        ("vision_config", "hidden_size", json!(24), "vision_model."),
        ("vision_config", "num_hidden_layers", json!(3), "vision_model.encoder.layers.2."),
        ("vision_config", "image_size", json!(64), "vision_model.embeddings.position_embedding"),
        ("text_config", "vocab_size", json!(60), "text_decoder.bert.embeddings.word_embeddings.weight"),
        (
            "text_config",
            "intermediate_size",
            json!(31),
            "text_decoder.bert.encoder.layer.0.intermediate.dense",
        ),
    ];
    for (half, field, lie, tensor) in lies {
        let model = Model::new();
        model.configure(half, field, lie);
        let complaint = model.complaint();
        assert!(
            complaint.starts_with("MODEL/model.safetensors does not hold weights: tensor "),
            "{complaint}"
        );
        assert!(complaint.contains(tensor), "{complaint}");
    }
}

#[test]
fn a_configuration_that_makes_no_sense_is_refused() {
    let model = Model::new();
    model.configure("text_config", "num_attention_heads", json!(0));
    assert_eq!(
        model.complaint(),
        "MODEL/config.json is no configuration of a BLIP model: text_config.num_attention_heads is 0, not from 1 to 32"
    );
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let model = Model::new();
    model.rewrite("tokenizer.json", |bytes| {
        let mut tokenizer: Value = serde_json::from_slice(&bytes).unwrap();
        let words = tokenizer["model"]["vocab"].as_object_mut().unwrap();
        words.extend((46..60).map(|id| (format!("word{id}"), json!(id))));
        tokenizer.to_string().into_bytes()
    });
    assert_eq!(
        model.complaint(),
        "MODEL/tokenizer.json belongs to another model: it has 60 words, and token 3, which ends a caption, is among \
         them; the model has 48 words"
    );
    let model = Model::new();
    model.configure("text_config", "sep_token_id", json!(47));
    assert!(model.complaint().contains("token 47, which ends a caption, is not among them"));
    let model = Model::new();
    model.rewrite("tokenizer.json", |_| b"{}".to_vec());
    assert!(model.complaint().starts_with("MODEL/tokenizer.json is no tokenizer: "), "{}", model.complaint());
}

#[test]
fn weights_that_are_no_numbers_are_noticed() {
    let model = Model::new();
    model.rewrite("model.safetensors", |mut bytes| {
        // The last tensor of the file, post_layernorm.weight, is in every picture.
        let end = bytes.len() - 4;
        bytes[end..].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes
    });
    let said = picture("dark").shown_to(&model.load().unwrap());
    assert!(matches!(said, Err(CaptionError::NotANumber)), "{said:?}");
}

#[test]
fn other_weights_say_something_else() {
    let model = Model::new();
    model.rewrite("model.safetensors", |mut bytes| {
        let half = bytes.len() / 2;
        bytes[half..].chunks_exact_mut(4).for_each(|number| number[3] ^= 0x80);
        bytes
    });
    let (other, same) = (model.load().unwrap(), captioner());
    let differs = |expected: &Expected| {
        expected.shown_to(&other).ok().map(|said| said.text) != Some(expected.shown_to(&same).unwrap().text)
    };
    assert!(expected().iter().any(differs));
}
