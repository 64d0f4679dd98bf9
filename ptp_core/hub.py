"""Folders by name: a local one, or a repository of the Hugging Face hub; and adapters on their way there."""

from __future__ import annotations

import os
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


def push_folder(folder: str | os.PathLike[str], repo: str, private: bool = False) -> str:
    """Uploads a saved adapter and its model card to the hub's repository `repo`; returns its address.

    Raises ValueError if the folder holds no whole adapter, PermissionError with a sentence if the hub
    refuses. Needs the token that `hf auth login` or HF_TOKEN provides.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    from .checkpoint import FILES, PARTS, load_adapter

    load_adapter(folder)
    api = HfApi()
    try:
        address = api.create_repo(repo, private=private, exist_ok=True)
        api.upload_folder(repo_id=repo, folder_path=str(folder), allow_patterns=[*FILES, *PARTS, "README.md"])
    except HfHubHTTPError as error:
        raise PermissionError(f"The hub did not take {repo}: {str(error).splitlines()[0]}") from None
    return str(address)
