"""Convert a checkpoint of pickled weights (pytorch_model.bin) into one that a job takes, on the user's own machine.

    convert_model.py MODEL [--to FOLDER]

A pickle can run code when it is opened. torch's restricted unpickler (weights_only=True) builds tensors and plain
containers, and refuses everything else; nothing here opens a file in another way. The folder is only read.
"""

import argparse
import errno
import json
import pickle
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.errors import ContainerError, UserError, cannot_read
from bert_classifier.job.data_names import listed
from bert_classifier.job.encoder_files import checkpoint_files
from bert_classifier.job.encoder_folder import encoder_source, read_config
from bert_classifier.job.encoder_weights import (
    COPY_AGAIN,
    INDEX,
    PICKLES,
    WEIGHTS,
    damaged,
    is_pointer,
    pointer_error,
    shards_of,
    weights_of,
)
from bert_classifier.job.wording import counted, first_line
from training_checkpoint import entry_with_tensors, without_wrapper

_TOKENIZER = "tokenizer.json"
_PLAIN = "Give a plain state_dict, as transformers saves it."
_GLOBAL = re.compile(r"GLOBAL (\S+)")  # what a pickle asks for, in torch's error


def main(arguments: Sequence[str]) -> int:
    """Convert the folder that the command line names; return the exit status."""
    parser = argparse.ArgumentParser(description="Convert a checkpoint of pickled weights into safetensors.")
    parser.add_argument("model", type=_path, help="folder of the checkpoint, which is only read")
    parser.add_argument("--to", type=_path, help="folder to write; default: MODEL-safetensors, beside it")
    given = parser.parse_args(arguments)
    try:
        print(convert(given.model, given.to))
    except ContainerError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except OSError as error:
        print(
            f"Cannot convert {given.model}: {error.filename or ''} {error.strerror or error}.",
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print("interrupted: nothing was written", file=sys.stderr)
        return 130
    return 0


def _path(text: str) -> Path:
    if not text:
        raise argparse.ArgumentTypeError("it is empty: name a folder with MODEL=")
    return Path(text).expanduser()


def convert(folder: Path, target: Path | None) -> str:
    """Write a checkpoint with safetensors and tokenizer.json, complete or not at all; return what was done.

    Raises:
        UserError: when the folder is no encoder's, its weights hold more than tensors, or the result cannot be used.
        OSError: when a file cannot be read or written.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder {folder}.", "Give the folder of a checkpoint: MODEL=folder.")
    own = Path(encoder_source(str(folder)))
    read_config(own)
    pickled = _pickled_files(own)
    if not pickled and (own / _TOKENIZER).is_file():
        return f"{folder} needs no conversion: it has safetensors and {_TOKENIZER}."
    target = target or folder.resolve().with_name(f"{folder.resolve().name}-safetensors")
    _check_target(folder, target)
    with tempfile.TemporaryDirectory(prefix=".convert-", dir=target.parent) as scratch:
        staged = Path(scratch) / "model"
        staged.mkdir()
        try:
            facts = _write(own, staged, pickled)
        except UserError as error:  # its folder is nobody's
            cause, remedy = (text.replace(str(staged), str(folder)) for text in (error.cause, error.remedy))
            raise UserError(cause, remedy) from error
        if target.exists():
            target.rmdir()
        staged.rename(target)
    return f"{target}: {facts}. Train with MODEL={target}"


def _check_target(folder: Path, target: Path) -> None:
    if target.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"TO={target} is in the folder to convert.", "Name a folder outside it.")
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise UserError(f"{target} is there already.", "Remove it, or name another folder: TO=folder.")
    if not target.parent.is_dir():
        raise UserError(f"There is no folder {target.parent} for {target.name}.", "Make it first.")


def _pickled_files(folder: Path) -> list[Path]:
    """Return the pickled files to convert; none where the folder has safetensors.

    Raises:
        UserError: when it has neither.
    """
    if (folder / WEIGHTS).is_file() or (folder / INDEX).is_file():
        return []
    single, index = (folder / name for name in PICKLES)
    if single.is_file():
        return [single]
    if not index.is_file():
        weights_of(folder)  # says what is there instead
    return [folder / name for name in shards_of(index)]


def _write(folder: Path, staged: Path, pickled: Sequence[Path]) -> str:
    """Write the checkpoint and open it as a job does; return what it holds."""
    weights = [] if pickled else weights_of(folder)
    names = [*weights, INDEX] if weights and WEIGHTS not in weights else weights
    for name, path in checkpoint_files(folder, names).items():
        (staged / name).parent.mkdir(exist_ok=True)
        shutil.copyfile(path, staged / name)
    facts = [_write_weights(pickled, staged)] if pickled else []
    if not (staged / _TOKENIZER).is_file():
        facts.append(_write_tokenizer(staged))
    _open_as_classifier(staged)
    return ", ".join(facts)


def _write_weights(pickled: Sequence[Path], staged: Path) -> str:
    from safetensors.torch import save_file

    found, entries = _all_tensors(pickled)
    tensors = without_wrapper(found)
    kept, tied = _without_shared(tensors)
    # As transformers does: the file's own table says whose tensor a left-out name shares.
    save_file(kept, staged / WEIGHTS, metadata={"format": "pt", **tied})
    _compare(tensors, tied, staged / WEIGHTS)
    size = (staged / WEIGHTS).stat().st_size / 1e6
    shared = f" ({counted(len(tied), 'further name')} for the same ones)" if tied else ""
    source = f" of {', '.join(sorted(entries))}" if entries else ""
    return f"{counted(len(kept), 'tensor')}{source}{shared}, {size:.1f} MB"


def _all_tensors(paths: Sequence[Path]) -> tuple[dict[str, Any], set[str]]:
    """Return the tensors of pickled files, on the CPU and in their types, and the entries that they were taken from."""
    import torch

    found: dict[str, Any] = {}
    entries = set()
    for path in paths:
        table = _unpickled(path)
        if not isinstance(table, Mapping) or not all(isinstance(name, str) for name in table):
            raise UserError(f"{path} is no table of tensors by name.", _PLAIN)
        if entry := entry_with_tensors(table):
            entries.add(entry)
            table = table[entry]
        own = {name: value.detach() for name, value in table.items() if isinstance(value, torch.Tensor)}
        odd = sorted(
            name for name, value in own.items() if value.layout != torch.strided or value.is_quantized
        )
        if not own or odd:
            nothing = f"it holds no tensors by name, or several tables of them: {listed(sorted(table)) or 'nothing'}"
            what = f"{odd[0]} is sparse or quantised" if odd else nothing
            raise UserError(f"{path} cannot be converted: {what}.", _PLAIN)
        found |= own
    return found, entries


def _unpickled(path: Path) -> Any:
    """Open a file of pickled tensors, and nothing but tensors.

    Raises:
        UserError: when it is damaged, or asks for anything else.
    """
    import torch

    try:
        if is_pointer(path):
            raise pointer_error(path)
        if not path.stat().st_size:
            raise damaged(path, "it is empty")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a rare pickle protocol, which it then refuses or reads
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except FileNotFoundError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except OSError as error:
        if error.errno == errno.EINVAL:  # torch looked before the beginning of the file
            raise damaged(path, "it is cut off") from error
        raise cannot_read(path, error, COPY_AGAIN) from error
    except pickle.UnpicklingError as error:
        asked = _GLOBAL.search(str(error))
        what = f"{asked[1].rstrip('.')}" if asked else first_line(error).rstrip(" .:")
        raise UserError(
            f"{path} holds more than tensors, and is not opened: {what}.",
            "Get the checkpoint as safetensors, or from a source that saved its state_dict alone.",
        ) from error
    except (RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError) as error:
        raise damaged(path, first_line(error).rstrip(" .:") or type(error).__name__) from error


def _without_shared(tensors: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return tensors that share no memory, and for each name that was left out the one that has its tensor.

    Of tied tensors the embeddings' is kept, which every model of the family reads.
    """
    import torch

    kept: dict[str, Any] = {}
    tied: dict[str, str] = {}
    names: dict[tuple[Any, ...], str] = {}
    places: set[int] = set()
    for name in sorted(tensors, key=lambda name: ("embeddings" not in name, name)):
        tensor = tensors[name]
        place = tensor.untyped_storage().data_ptr()
        key = (place, tensor.storage_offset(), tensor.dtype, tensor.shape, tensor.stride())
        if tensor.numel() and key in names:
            tied[name] = names[key]
            continue
        names[key] = name
        kept[name] = (
            tensor.clone(memory_format=torch.contiguous_format) if place in places else tensor.contiguous()
        )
        places.add(place)
    return kept, tied


def _compare(tensors: Mapping[str, Any], tied: Mapping[str, str], path: Path) -> None:
    """Read the written file back, and compare names, types, shapes and bytes with what was read."""
    import torch
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        same = {*file.keys(), *tied} == set(tensors)
        for name, tensor in tensors.items() if same else ():
            written = file.get_tensor(tied.get(name, name))
            same = same and (written.dtype, written.shape) == (tensor.dtype, tensor.shape)
            same = same and torch.equal(
                *(each.contiguous().view(-1).view(torch.uint8) for each in (written, tensor))
            )
    if not same:
        raise UserError(
            f"{path} is not what was written.", "Run it again, on another disk if it happens again."
        )


def _write_tokenizer(staged: Path) -> str:
    """Write tokenizer.json, which must read texts as the files that it was made from do."""
    from bert_classifier.modeling.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(str(staged))
    tokenizer.save_pretrained(staged)
    again = load_tokenizer(str(staged))
    if json.loads(again.backend_tokenizer.to_str()) != json.loads(tokenizer.backend_tokenizer.to_str()):
        raise UserError(
            f"The tokenizer of {staged} changes when it is saved.", "Give a checkpoint with tokenizer.json."
        )
    return f"{_TOKENIZER} made of the tokenizer's other files"


def _open_as_classifier(staged: Path) -> None:
    """Load the result as a job does; raises as load_tokenizer and load_pretrained do."""
    from bert_classifier.modeling.pretrained import load_pretrained
    from bert_classifier.modeling.tokenizer import load_tokenizer

    load_pretrained(str(staged), ("any", "other"), load_tokenizer(str(staged)), None)


if __name__ == "__main__":
    from bert_classifier.modeling.pretrained import quiet_transformers

    quiet_transformers()
    sys.exit(main(sys.argv[1:]))
