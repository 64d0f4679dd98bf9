"""What the core needs to be imported and to decode: torch, transformers, numpy, safetensors and accelerate.

tests/tools/test_gpu_day.py runs the whole programme of a day with a GPU with these five.
"""

from support.few_packages import blocked_modules, run

DECODE = """
sys.path.insert(0, "tests")
import torch
from support.tiny_model import make_adapter, make_target, make_tokenizer
from ptp_core import METHODS, NoiseTape, PTPModel, generate
model = PTPModel(make_target(), make_tokenizer(), make_adapter(), name="tiny").eval()
texts = {tuple(generate(model, [3, 4, 5], method, NoiseTape(1), max_new_tokens=8).tokens) for method in METHODS}
assert len(texts) == 1, texts
"""


def test_the_blocked_ones_are_those_we_mean():
    blocked = blocked_modules()
    assert {"pydantic", "platformdirs", "gradio", "plotly", "gguf"} <= blocked
    assert not blocked & {"torch", "transformers", "numpy", "safetensors", "accelerate", "tqdm", "filelock"}


def test_five_packages_are_enough(tmp_path):
    done = run(DECODE, tmp_path)
    assert done.returncode == 0, done.stderr


def test_the_blocker_blocks(tmp_path):
    assert "No module named 'pydantic'" in run("import pydantic", tmp_path).stderr
