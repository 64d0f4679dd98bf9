"""Folders by name: a local one, or a repository of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def resolve_folder(name: str, what: str, patterns: Sequence[str]) -> Path:
    """The folder called `name`, or the hub's repository of that id with the files that match `patterns`.

    `what` names the thing in errors ("model", "adapter"). Raises FileNotFoundError with a sentence.
    """
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=list(patterns)))
    except HFValidationError:
        raise FileNotFoundError(f"There is no {what} folder {name!r}, and it is no hub id either.") from None
    except RepositoryNotFoundError:
        raise FileNotFoundError(f"Neither a folder nor the hub has a public {what} {name!r}.") from None
    except (LocalEntryNotFoundError, OSError) as error:
        raise FileNotFoundError(
            f"There is no {what} folder {name!r}, and the hub could not be asked for it ({type(error).__name__})."
        ) from None
