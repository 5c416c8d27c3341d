"""PyTorch on the work of the benchmarks, one request a line; the benchmarks start it and take turns with it.

    hello THREADS                              -> the version of PyTorch
    linear ROWS INPUTS OUTPUTS PRECISION S     -> calls a second of a linear layer, measured for S seconds
    attention BATCH TOKENS HEADS DIM PRECISION S  -> calls a second of attention, without a rotation
    vision MODEL BATCH PRECISION S             -> pictures a second of a vision tower of UTA's shape
    text PRECISION S                           -> token positions a second of UTA's text tower, padded to 77

PRECISION is f32 or bf16 (autocast; the factors of single layers are bf16). An answer is a number, or
"error: " and what is missing. Towers come from timm and open_clip, with random weights.
"""

import sys
import time

VISION = {  # timm's model, what differs from it, the size of the input
    "eva_base_p16": ("eva02_base_patch16_clip_224", {}, 224),
    "eva_large_p14_336": ("eva02_large_patch14_clip_336", {}, 336),
}
made = {}  # the last of each kind of work, and its name
warm = set()  # requests that have been made before


def rate(work, units, seconds, known):
    if not known:
        work()
    start, count = time.time(), 0
    while count == 0 or time.time() - start < seconds:
        work()
        count += units
    return count / (time.time() - start)


def kept(kind, name, make):
    if made.get(kind, (None,))[0] != name:
        made[kind] = None  # The memory of the one before is free first.
        made[kind] = (name, make())
    return made[kind][1]


def vision(name, batch):
    import timm

    model, other, size = VISION[name]
    make = lambda: timm.create_model(model, pretrained=False, num_classes=1024, **other).eval()
    tower = kept("vision", name, make)
    pictures = torch.randn(batch, 3, size, size)
    return (lambda: tower(pictures)), batch


def text():
    import open_clip

    tower = kept("text", "text", lambda: open_clip.create_model("ViT-H-14", pretrained=None).eval())
    tokens = torch.randint(1, 49000, (16, 77))
    return (lambda: tower.encode_text(tokens)), tokens.numel()


def linear(dtype, rows, inputs, outputs):
    x = torch.randn(rows, inputs, dtype=dtype)
    weight, bias = torch.randn(outputs, inputs, dtype=dtype), torch.randn(outputs, dtype=dtype)
    return (lambda: torch.nn.functional.linear(x, weight, bias)), 1


def attention(dtype, batch, tokens, heads, dim):
    q, k, v = (torch.randn(batch, heads, tokens, dim, dtype=dtype) for _ in range(3))
    return (lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v)), 1


def answer(request):
    global torch
    import torch

    kind, *words = request.split()
    if kind == "hello":
        torch.set_num_threads(int(words[0]))
        return torch.__version__
    *words, precision, seconds = words
    known = request in warm
    warm.add(request)
    dtype = {"f32": torch.float32, "bf16": torch.bfloat16}[precision]
    with torch.inference_mode():
        if kind == "linear":
            work, units = linear(dtype, *map(int, words))
        elif kind == "attention":
            work, units = attention(dtype, *map(int, words))
        elif kind == "vision":
            work, units = vision(words[0], int(words[1]))
        else:
            work, units = text()
        towers = kind in ("vision", "text")
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=towers and precision == "bf16"):
            return rate(work, units, float(seconds), known)


for line in sys.stdin:
    try:
        print(answer(line), flush=True)
    except Exception as error:
        print("error:", " ".join(str(error).split()), flush=True)
