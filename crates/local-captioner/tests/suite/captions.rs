//! What is said of pictures.

use crate::support::{Model, captioner, expected, picture};
use darkroom_local_captioner::{CaptionError, LocalCaptioner, Picture};
use serde_json::json;
use std::cell::Cell;
use std::thread;

#[test]
fn every_picture_gets_the_caption_that_transformers_gives_it() {
    let captioner = captioner();
    for expected in expected() {
        let said = expected.shown_to(&captioner).unwrap();
        assert_eq!(said.text, expected.text.trim(), "{}", expected.name);
        assert_eq!(said.generated_tokens as usize, expected.tokens.len(), "{}", expected.name);
    }
}

#[test]
fn different_pictures_get_different_captions() {
    let captioner = captioner();
    let said =
        ["dark", "bright", "fine", "coarse"].map(|name| picture(name).shown_to(&captioner).unwrap().text);
    for (index, text) in said.iter().enumerate() {
        assert!(!said[..index].contains(text), "{text}");
    }
}

#[test]
fn a_picture_leaves_nothing_behind_for_the_next() {
    let (captioner, dark, coarse) = (captioner(), picture("dark"), picture("coarse"));
    let first = dark.shown_to(&captioner).unwrap();
    coarse.shown_to(&captioner).unwrap();
    coarse.shown_until(&captioner, &|| true).unwrap_err();
    assert_eq!(dark.shown_to(&captioner).unwrap(), first);
}

#[test]
fn one_captioner_serves_many_threads_at_a_time() {
    let captioner = captioner();
    let show = |name| {
        let captioner = &captioner;
        move || (0..5).map(|_| picture(name).shown_to(captioner).unwrap().text).collect::<Vec<_>>()
    };
    let (dark, coarse) = thread::scope(|scope| {
        let (dark, coarse) = (scope.spawn(show("dark")), scope.spawn(show("coarse")));
        (dark.join().unwrap(), coarse.join().unwrap())
    });
    assert_eq!(dark, vec![picture("dark").text; 5]);
    assert_eq!(coarse, vec![picture("coarse").text; 5]);
}

#[test]
fn a_caption_is_never_longer_than_fifty_tokens_nor_than_there_are_positions() {
    let longest =
        |model: &Model| picture("coarse").shown_to(&model.load().unwrap()).unwrap().generated_tokens;
    let model = Model::new();
    assert_eq!(longest(&model), 50);

    model.configure("text_config", "max_position_embeddings", json!(7));
    let positions = "text_decoder.bert.embeddings.position_embeddings.weight";
    model.relist(|tensors| {
        let begin = tensors[positions]["data_offsets"][0].as_u64().unwrap();
        tensors[positions]["shape"] = json!([7, 16]);
        tensors[positions]["data_offsets"] = json!([begin, begin + 7 * 16 * 4]);
        let rest = json!({
            "dtype": "F32", "shape": [57, 16], "data_offsets": [begin + 7 * 16 * 4, begin + 64 * 16 * 4],
        });
        tensors.insert("rest".to_owned(), rest);
    });
    assert_eq!(longest(&model), 7);
}

#[test]
fn a_model_with_nothing_to_say_is_an_error() {
    let dark = picture("dark");
    let model = Model::new();
    model.configure("text_config", "sep_token_id", json!(dark.tokens[0]));
    let said = dark.shown_to(&model.load().unwrap());
    assert!(matches!(said, Err(CaptionError::Empty { generated_tokens: 0 })), "{said:?}");
}

#[test]
fn special_tokens_alone_are_nothing_to_say() {
    let (dark, model) = (picture("dark"), Model::new());
    // All words of the vocabulary become special.
    model.rewrite("tokenizer.json", |bytes| {
        let mut tokenizer: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let words = tokenizer["model"]["vocab"].as_object().unwrap().clone();
        let special = |(word, id): (&String, &serde_json::Value)| {
            json!({
                "id": id, "content": word, "special": true,
                "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
            })
        };
        tokenizer["added_tokens"] = words.iter().map(special).collect();
        tokenizer.to_string().into_bytes()
    });
    let said = dark.shown_to(&model.load().unwrap());
    assert!(matches!(said, Err(CaptionError::Empty { generated_tokens: 3 })), "{said:?}");
}

#[test]
fn no_token_is_made_once_nobody_wants_the_caption() {
    let (captioner, coarse) = (captioner(), picture("coarse"));
    let asked_until = |answer: u32| {
        let asked = Cell::new(0);
        let said = coarse.shown_until(&captioner, &|| {
            asked.set(asked.get() + 1);
            asked.get() == answer
        });
        (asked.get(), said)
    };
    // Once for each of two layers, then once for each of fifty tokens.
    let (all, said) = asked_until(u32::MAX);
    assert_eq!((all, said.unwrap().generated_tokens), (52, 50));
    for answer in [1, 2, 3, 30, 52] {
        let (asked, said) = asked_until(answer);
        assert_eq!(asked, answer);
        assert!(matches!(said, Err(CaptionError::Cancelled)), "{said:?}");
    }
}

#[test]
fn samples_that_are_no_picture_are_refused() {
    for (width, height, samples) in [(0, 3, 0), (2, 2, 11), (2, 2, 13), (u32::MAX, u32::MAX, 3)] {
        let samples = vec![0; samples];
        let refused = Picture::new(width, height, &samples);
        assert!(matches!(refused, Err(CaptionError::NotAPicture { .. })), "{width} × {height}");
    }
}

#[test]
fn a_captioner_may_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<LocalCaptioner>();
}
