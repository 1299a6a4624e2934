//! A model with the sizes of a published one and random weights.

use serde_json::{Map, Value, json};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;

const VOCABULARY: usize = 30_524;
const POSITIONS: usize = 512;
/// The hidden size of the text decoder, and its layers.
const TEXT: usize = 768;
const TEXT_LAYERS: usize = 12;
const SEP: usize = 102;

/// The names and shapes of tensors.
type Tensors = Vec<(String, Vec<usize>)>;

/// Writes the three files of a model, `size` being `base` or `large`.
pub(crate) fn write_model(folder: &Path, size: &str) -> Result<(), Box<dyn Error>> {
    let (hidden, layers, heads) = match size {
        "base" => (768, 12, 12),
        "large" => (1024, 24, 16),
        _ => return Err("the size is base or large".into()),
    };
    fs::create_dir_all(folder)?;
    let mut tensors = Tensors::new();
    list_vision(&mut tensors, hidden, layers);
    list_text(&mut tensors, hidden);
    write_weights(&folder.join("model.safetensors"), &tensors)?;
    fs::write(folder.join("tokenizer.json"), tokenizer().to_string())?;
    let vision = json!({
        "hidden_size": hidden, "intermediate_size": 4 * hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads,
    });
    let config = json!({ "model_type": "blip", "vision_config": vision, "text_config": { "num_attention_heads": 12 } });
    fs::write(folder.join("config.json"), config.to_string())?;
    Ok(())
}

fn linear(tensors: &mut Tensors, name: &str, inputs: usize, outputs: usize) {
    tensors.push((format!("{name}.weight"), vec![outputs, inputs]));
    tensors.push((format!("{name}.bias"), vec![outputs]));
}

fn norm(tensors: &mut Tensors, name: &str, size: usize) {
    tensors.push((format!("{name}.weight"), vec![size]));
    tensors.push((format!("{name}.bias"), vec![size]));
}

fn list_vision(tensors: &mut Tensors, hidden: usize, layers: usize) {
    let embeddings = "vision_model.embeddings";
    tensors.push((format!("{embeddings}.class_embedding"), vec![1, 1, hidden]));
    tensors.push((format!("{embeddings}.position_embedding"), vec![1, 577, hidden]));
    tensors.push((format!("{embeddings}.patch_embedding.weight"), vec![hidden, 3, 16, 16]));
    tensors.push((format!("{embeddings}.patch_embedding.bias"), vec![hidden]));
    norm(tensors, "vision_model.post_layernorm", hidden);
    for layer in 0..layers {
        let name = format!("vision_model.encoder.layers.{layer}");
        norm(tensors, &format!("{name}.layer_norm1"), hidden);
        norm(tensors, &format!("{name}.layer_norm2"), hidden);
        linear(tensors, &format!("{name}.self_attn.qkv"), hidden, 3 * hidden);
        linear(tensors, &format!("{name}.self_attn.projection"), hidden, hidden);
        linear(tensors, &format!("{name}.mlp.fc1"), hidden, 4 * hidden);
        linear(tensors, &format!("{name}.mlp.fc2"), 4 * hidden, hidden);
    }
}

fn list_text(tensors: &mut Tensors, vision_hidden: usize) {
    let embeddings = "text_decoder.bert.embeddings";
    tensors.push((format!("{embeddings}.word_embeddings.weight"), vec![VOCABULARY, TEXT]));
    tensors.push((format!("{embeddings}.position_embeddings.weight"), vec![POSITIONS, TEXT]));
    norm(tensors, &format!("{embeddings}.LayerNorm"), TEXT);
    for layer in 0..TEXT_LAYERS {
        let name = format!("text_decoder.bert.encoder.layer.{layer}");
        for (attention, attended) in [("attention", TEXT), ("crossattention", vision_hidden)] {
            linear(tensors, &format!("{name}.{attention}.self.query"), TEXT, TEXT);
            linear(tensors, &format!("{name}.{attention}.self.key"), attended, TEXT);
            linear(tensors, &format!("{name}.{attention}.self.value"), attended, TEXT);
            linear(tensors, &format!("{name}.{attention}.output.dense"), TEXT, TEXT);
            norm(tensors, &format!("{name}.{attention}.output.LayerNorm"), TEXT);
        }
        linear(tensors, &format!("{name}.intermediate.dense"), TEXT, 4 * TEXT);
        linear(tensors, &format!("{name}.output.dense"), 4 * TEXT, TEXT);
        norm(tensors, &format!("{name}.output.LayerNorm"), TEXT);
    }
    let predictions = "text_decoder.cls.predictions";
    linear(tensors, &format!("{predictions}.transform.dense"), TEXT, TEXT);
    norm(tensors, &format!("{predictions}.transform.LayerNorm"), TEXT);
    tensors.push((format!("{predictions}.decoder.weight"), vec![VOCABULARY, TEXT]));
    tensors.push((format!("{predictions}.bias"), vec![VOCABULARY]));
}

fn write_weights(path: &Path, tensors: &Tensors) -> Result<(), Box<dyn Error>> {
    let (mut header, mut end) = (Map::new(), 0);
    for (name, shape) in tensors {
        let begin = end;
        end += shape.iter().product::<usize>() * 4;
        header.insert(name.clone(), json!({ "dtype": "F32", "shape": shape, "data_offsets": [begin, end] }));
    }
    let header = Value::from(header).to_string();
    let mut file = BufWriter::new(File::create(path)?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    let mut random = 1_u32;
    for (name, shape) in tensors {
        let centre = if name.to_lowercase().contains("norm") && name.ends_with("weight") { 1.0 } else { 0.0 };
        for _ in 0..shape.iter().product() {
            // Marsaglia's xorshift; from -0.05 to 0.05.
            random ^= random << 13;
            random ^= random >> 17;
            random ^= random << 5;
            let number = centre + (random as f32 / u32::MAX as f32 - 0.5) * 0.1;
            file.write_all(&number.to_le_bytes())?;
        }
    }
    Ok(file.flush()?)
}

/// BERT's, with made-up words.
fn tokenizer() -> Value {
    let word = |id: usize| match id {
        0 => "[PAD]".to_owned(),
        100 => "[UNK]".to_owned(),
        SEP => "[SEP]".to_owned(),
        _ => format!("word{id}"),
    };
    let words: Map<_, _> = (0..VOCABULARY - 2).map(|id| (word(id), json!(id))).collect();
    let special = |id: usize| {
        json!({
            "id": id, "content": word(id), "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    };
    json!({
        "version": "1.0",
        "added_tokens": [special(0), special(100), special(SEP)],
        "normalizer": null, "pre_tokenizer": null, "post_processor": null,
        "decoder": { "type": "WordPiece", "prefix": "##", "cleanup": true },
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
            "max_input_chars_per_word": 100, "vocab": words,
        },
    })
}
