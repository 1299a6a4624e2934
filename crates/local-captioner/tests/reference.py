"""Makes tests/reference/: a tiny BLIP with random weights, and what Hugging Face transformers says with it.

Run it anew only to change the reference (made with transformers 4.40.2, torch 1.13.1, pillow 13):

    pip install torch transformers pillow
    python tests/reference.py

The weights are drawn from a fixed seed, so the files come out alike as long as torch draws alike.
"""

import json
import pathlib
import sys
import tempfile

import numpy
import torch
import transformers

FOLDER = pathlib.Path(__file__).parent / "reference"
SEED = 95
MAX_NEW_TOKENS = 50

WORDS = (
    "[PAD] [UNK] [CLS] [SEP] [MASK] a the two man woman dog cat bird horse car street beach sea sky tree red blue green"
    " white black old young small big sit ##s ##ting stand ##ing run ride on in with and near ' , . photo of"
).split()

# Width, height and the coefficients of `samples`: dark, bright, and patterns larger, smaller and narrower than the model.
PICTURES = {
    "dark": (40, 30, (0, 0, 0, 3)),
    "bright": (40, 30, (0, 0, 0, 250)),
    "fine": (61, 47, (7, 13, 29, 5)),
    "coarse": (24, 24, (1, 3, 80, 0)),
    "tiny": (5, 3, (50, 90, 20, 10)),
    "wide": (300, 9, (1, 0, 60, 40)),
}


def samples(width, height, coefficients):
    """Interleaved RGB; tests/support/mod.rs has the same formula."""
    across, down, channel, base = coefficients
    y, x, c = numpy.meshgrid(numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij")
    return ((x * across + y * down + c * channel + base) % 256).astype(numpy.uint8)


def configuration():
    vision = dict(
        hidden_size=12, intermediate_size=20, num_hidden_layers=2, num_attention_heads=3, image_size=32, patch_size=8
    )
    text = dict(
        vocab_size=len(WORDS) + 2,
        hidden_size=16,
        encoder_hidden_size=12,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=64,
        bos_token_id=len(WORDS),
        sep_token_id=WORDS.index("[SEP]"),
    )
    return transformers.BlipConfig(text_config=text, vision_config=vision)


def tiny_model(seed):
    torch.manual_seed(seed)
    model = transformers.BlipForConditionalGeneration(configuration()).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            text = "text_decoder" in name
            if "norm" in name.lower() and name.endswith("weight"):
                scale, centre = 0.3, 1.0
            elif "embedding" in name:
                # Large in the decoder, so that captions go on with other words than they begin with, and end.
                scale, centre = (2.0 if text else 0.4), 0.0
            elif "crossattention.output" in name:
                # Small, so that the picture is not all that counts.
                scale, centre = 0.1, 0.0
            elif parameter.dim() > 1:
                scale, centre = 1.5 / parameter.shape[-1] ** 0.5, 0.0
            else:
                scale, centre = (0.05 if text else 0.4), 0.0
            parameter.copy_(centre + scale * torch.randn_like(parameter))
    return model


def image_processor(model):
    size = model.config.vision_config.image_size
    return transformers.BlipImageProcessor(size={"height": size, "width": size})


def answers(model, tokenizer):
    """What transformers makes of each picture, by its public API alone."""
    processor = image_processor(model)
    for name, (width, height, coefficients) in PICTURES.items():
        picture = samples(width, height, coefficients)
        # Said explicitly, or a picture three rows high is taken for three channels.
        pixels = processor(picture, return_tensors="pt", input_data_format="channels_last")["pixel_values"]
        with torch.no_grad():
            # At first the decoder is given the start token alone.
            logits = model(pixel_values=pixels, input_ids=torch.tensor([[len(WORDS)]])).logits[0, -1]
            said = model.generate(pixel_values=pixels, num_beams=1, do_sample=False, max_new_tokens=MAX_NEW_TOKENS)[0]
        ids = said.tolist()[1:]
        end = WORDS.index("[SEP]")
        yield {
            "name": name,
            "width": width,
            "height": height,
            "coefficients": coefficients,
            "tokens": ids[: ids.index(end)] if end in ids else ids,
            "text": tokenizer.decode(said, skip_special_tokens=True),
            "pixel_values": [round(value, 5) for value in pixels[0, :, 0, :8].flatten().tolist()],
            "first_logits": [round(value, 5) for value in logits.tolist()],
        }


def bert_tokenizer():
    with tempfile.TemporaryDirectory() as folder:
        vocabulary = pathlib.Path(folder) / "vocab.txt"
        vocabulary.write_text("\n".join(WORDS) + "\n")
        return transformers.BertTokenizerFast(vocab_file=str(vocabulary))


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    model, tokenizer = tiny_model(seed), bert_tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder, safe_serialization=True)
        tokenizer.save_pretrained(folder)
        FOLDER.mkdir(exist_ok=True)
        for name in ["config.json", "model.safetensors", "tokenizer.json"]:
            (FOLDER / name).write_bytes((pathlib.Path(folder) / name).read_bytes())
    torch.save(model.state_dict(), FOLDER / "pytorch_model.bin")
    expected = list(answers(model, tokenizer))
    (FOLDER / "expected.json").write_text("".join(["[\n", ",\n".join(map(json.dumps, expected)), "\n]\n"]))
    for answer in expected:
        print(len(answer["tokens"]), answer["name"], answer["text"])


if __name__ == "__main__":
    main()
