use super::{Config, ConfigError};

fn refusal(text: &str) -> String {
    Config::parse(text).unwrap_err().to_string()
}

#[test]
fn fields_that_are_left_out_are_those_of_the_base_model() {
    // As the published file of the base model is read: it names the heads, and leaves out much else.
    let text = r#"{"model_type": "blip", "text_config": {"num_attention_heads": 12}, "vision_config": {}}"#;
    let Config { vision_config, text_config, .. } = Config::parse(text).unwrap();
    assert_eq!((vision_config.image_size, vision_config.patches_per_side()), (384, 24));
    assert_eq!((vision_config.hidden_size, vision_config.num_hidden_layers), (768, 12));
    assert_eq!(
        (text_config.vocab_size, text_config.bos_token_id, text_config.sep_token_id),
        (30_524, 30_522, 102)
    );
    assert_eq!((text_config.num_attention_heads, text_config.max_position_embeddings), (12, 512));
    Config::parse("{}").unwrap();
}

#[test]
fn the_large_model_is_accepted_as_published() {
    let text = r#"{
        "architectures": ["BlipForConditionalGeneration"], "image_text_hidden_size": 256, "model_type": "blip",
        "text_config": {
            "bos_token_id": 30522, "encoder_hidden_size": 1024, "eos_token_id": 2, "hidden_act": "gelu",
            "hidden_size": 768, "intermediate_size": 3072, "is_decoder": true, "layer_norm_eps": 1e-12,
            "max_position_embeddings": 512, "model_type": "blip_text_model", "num_attention_heads": 12,
            "num_hidden_layers": 12, "pad_token_id": 0, "sep_token_id": 102, "vocab_size": 30524
        },
        "vision_config": {
            "hidden_act": "gelu", "hidden_size": 1024, "image_size": 384, "intermediate_size": 4096,
            "layer_norm_eps": 1e-05, "model_type": "blip_vision_model", "num_attention_heads": 16,
            "num_channels": 3, "num_hidden_layers": 24, "patch_size": 16
        }
    }"#;
    let config = Config::parse(text).unwrap();
    assert_eq!((config.vision_config.hidden_size, config.vision_config.num_hidden_layers), (1024, 24));
}

#[test]
fn what_no_model_can_be_built_from_is_refused_with_the_field() {
    for (field, value) in [
        ("hidden_size", "0"),
        ("hidden_size", "1000000"),
        ("intermediate_size", "0"),
        ("num_hidden_layers", "0"),
        ("num_hidden_layers", "18446744073709551615"),
        ("num_attention_heads", "0"),
        ("num_attention_heads", "33"),
        ("num_attention_heads", "7"),
        ("layer_norm_eps", "0"),
        ("layer_norm_eps", "1e300"),
        ("hidden_act", "\"quick_gelu\""),
    ] {
        for half in ["text_config", "vision_config"] {
            let said = refusal(&format!(r#"{{"{half}": {{"{field}": {value}}}}}"#));
            assert!(said.contains(half) && said.contains(field), "{said}");
        }
    }
}

#[test]
fn sizes_that_ask_for_too_much_memory_are_refused() {
    let too_many = refusal(r#"{"vision_config": {"image_size": 4096, "patch_size": 1}}"#);
    assert_eq!(too_many, "vision_config: the number of patches is 16777216, not from 1 to 2304");
    let uneven = refusal(r#"{"vision_config": {"image_size": 385}}"#);
    assert_eq!(uneven, "vision_config.image_size is 385, which patch_size, 16, does not divide");
    let none = refusal(r#"{"vision_config": {"patch_size": 0}}"#);
    assert_eq!(none, "vision_config.patch_size is 0, not from 1 to 256");
    for field in ["vocab_size", "max_position_embeddings"] {
        for value in ["0", "99999999999"] {
            let said = refusal(&format!(r#"{{"text_config": {{"{field}": {value}}}}}"#));
            assert!(said.contains(field), "{said}");
        }
    }
}

#[test]
fn tokens_beyond_the_vocabulary_are_refused() {
    for field in ["bos_token_id", "sep_token_id"] {
        let said = refusal(&format!(r#"{{"text_config": {{"{field}": 30524}}}}"#));
        assert_eq!(said, format!("text_config.{field} is 30524, not from 0 to 30523"));
    }
}

#[test]
fn what_is_not_blip_is_refused() {
    assert_eq!(refusal(r#"{"model_type": "blip-2"}"#), "model_type is \"blip-2\", not \"blip\"");
    for text in
        ["", "null", "{\"text_config\": {\"hidden_size\": -1}}", "{\"vision_config\": {\"patch_size\": 1.5}}"]
    {
        assert!(matches!(Config::parse(text), Err(ConfigError::Json(_))), "{text}");
    }
}
