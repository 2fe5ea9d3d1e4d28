"""Check a checkpoint's weight files by their headers, without importing torch; say what to do with other forms.

Standard library only.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bert_classifier.errors import UserError, cannot_read
from bert_classifier.job.data_names import listed
from bert_classifier.job.json_files import read_object
from bert_classifier.job.settings import shown

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"  # of weights in several files
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")
ADAPTER = "adapter_config.json"
COPY_AGAIN = "Copy the checkpoint again and compare the sizes of its files."
CONVERT = (
    "Weights pickled by PyTorch are not opened in a job: run `make convert-model MODEL=folder` on your machine, and"
    " give the folder that it writes."
)
_MERGE = (
    "Merge the two with peft, and give the folder that this writes: AutoPeftModelForSequenceClassification"
    ".from_pretrained(…).merge_and_unload().save_pretrained(folder)."
)
_LONGEST_HEADER = 100_000_000  # bytes, as in safetensors
_LAYER = re.compile(r"(?:^|\.)layers?\.(\d+)\.")
_POINTER = b"version https://git-lfs"
_ARCHIVES = (".tar.gz", ".tgz", ".tar", ".zip")
# Weights in forms that nothing here reads, and whose they are.
_FOREIGN = {
    ".gguf": "llama.cpp",
    ".onnx": "ONNX Runtime",
    ".h5": "TensorFlow",
    ".msgpack": "Flax",
    ".tflite": "TensorFlow Lite",
    ".ot": "Rust",
    ".index": "TensorFlow 1",
}
_FOREIGN_FOLDERS = {"onnx": "ONNX Runtime", "openvino": "OpenVINO"}
_FOREIGN_FILES = {"openvino_model.xml": "OpenVINO"}
_PICKLE_ENDINGS = (".ckpt", ".pt", ".pth", ".bin")
_OF_TRAINING = (
    "optimizer",
    "scheduler",
    "rng_state",
    "training_args",
    "scaler",
)  # what a Trainer pickles beside them
_PART = re.compile(r"-\d+-of-\d+\.safetensors$")
_WEIGHTS_ENDING = ".safetensors"


def check_weights(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse a folder whose safetensors are missing or damaged, or are another model's than its config.json says.

    Raises:
        UserError: with the reason and what to do.
        PlatformError: when disk or permissions prevent reading a file.
    """
    shapes: dict[str, list[int]] = {}
    for name in weights_of(folder):
        tensors = _checked_tensors(folder / name)
        _refuse_integers(folder / name, tensors)
        shapes |= {name: list(tensor["shape"]) for name, tensor in tensors.items()}
    _check_fit(folder, config, shapes)


def other_forms(place: object, names: Iterable[str]) -> UserError | None:
    """Return the error for files that are no checkpoint as such: an adapter, pickles, an archive; None otherwise.

    Args:
        place: the folder, or address in S3, that holds them.
        names: of its files, without those below.
    """
    names = sorted(name for name in names if not name.startswith("."))
    archive = next((name for name in names if name.endswith(_ARCHIVES)), None)
    foreign = next((name for name in names if _program_of(name)), None)
    pickled = next((name for name in PICKLES if name in names), None)
    if ADAPTER in names:
        return UserError(
            f"{place} holds an adapter ({ADAPTER}) and not the weights of its model.",
            f"{_MERGE} Save the tokenizer there too: AutoTokenizer.from_pretrained(…).save_pretrained(folder).",
        )
    if pickled:
        return UserError(f"{place} has no {WEIGHTS}, but {pickled}.", CONVERT)
    if misnamed := _misnamed(place, names):
        return misnamed
    if archive:
        return UserError(
            f"{place} holds an archive, {archive}, which is not opened.",
            f"Unpack it (mkdir model; tar -xf {archive} -C model), and give that folder.",
        )
    if foreign:
        return UserError(
            f"{place} has no {WEIGHTS}: it holds weights for {_program_of(foreign)}, {foreign}.",
            "Give the same checkpoint's safetensors, which most model pages offer beside them.",
        )
    return None


def unused_weights(folder: Path) -> str:
    """Return what to say of an adapter, or of the same weights in several files, beside those that are used; or ""."""
    doubts = []
    if (folder / ADAPTER).is_file():
        doubts.append(
            f"{folder} holds an adapter ({ADAPTER}) beside the weights of its model: the weights are used without it."
            f" If they shall have it: {_MERGE}"
        )
    if (folder / WEIGHTS).is_file() and (folder / INDEX).is_file():
        doubts.append(
            f"{folder} holds weights in {WEIGHTS} and in the files of {INDEX}: {WEIGHTS} is used, as transformers does,"
            " and the others are not read. If they shall be, remove it."
        )
    return " ".join(doubts)


def _program_of(name: str) -> str:
    """Return for which program a file or folder has weights; "" where nothing tells."""
    return _FOREIGN_FOLDERS.get(name) or _FOREIGN_FILES.get(name) or _FOREIGN.get(Path(name).suffix, "")


def _misnamed(place: object, names: Sequence[str]) -> UserError | None:
    """Return the error for weights that only have another name than a job looks for; None if there are none."""
    own = [name for name in names if name.endswith(_WEIGHTS_ENDING)]
    if WEIGHTS in own or INDEX in names:
        return None
    if any(map(_PART.search, own)):
        return UserError(
            f"{place} holds parts of weights, such as {own[0]}, but no {INDEX}, which says what lies where.",
            f"Copy {INDEX} from where the parts come from.",
        )
    if own:
        return UserError(
            f"{place} has no {WEIGHTS}, but {listed(own)}.", f"Rename the file to use to {WEIGHTS}."
        )
    pickled = [n for n in names if n.endswith(_PICKLE_ENDINGS) and not n.startswith(_OF_TRAINING)]
    if pickled:
        return UserError(
            f"{place} has no {WEIGHTS}, but {listed(pickled)}, weights as PyTorch pickles them.",
            f"Rename the file to use to {PICKLES[0]}. {CONVERT}",
        )
    return None


def refuse_dangling(path: Path) -> None:
    """Refuse a link that leads nowhere, as copies of a hub's cache have them; raises a UserError with its target."""
    if path.is_symlink() and not path.exists():
        raise UserError(
            f"{path} is a link to {path.readlink()}, where there is nothing.",
            "Copy the checkpoint with the files that its links lead to (cp -rL).",
        )


def without_weights(place: object, names: Iterable[str]) -> UserError:
    """Return the error for a folder or address without safetensors; see other_forms."""
    names = sorted(names)
    return other_forms(place, names) or UserError(
        f"{place} has no {WEIGHTS}: it holds {listed(names) or 'nothing'}.",
        "Give a folder written by save_pretrained(), which has it.",
    )


def is_pointer(path: Path) -> bool:
    """Return whether a file is what git leaves where Git LFS has not fetched the content.

    Raises:
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        return file.read(len(_POINTER)) == _POINTER


def pointer_error(path: Path) -> UserError:
    """Return the error for a file that Git LFS has not fetched."""
    return UserError(
        f"{path} is a pointer of Git LFS and not the file itself.",
        "Run `git lfs install` and `git lfs pull` where the checkpoint was cloned, or download the file.",
    )


def damaged(path: Path, reason: str) -> UserError:
    """Return the error for a file of the model that cannot be right."""
    return UserError(f"The model in {path.parent} is damaged: {path.name}: {reason}.", COPY_AGAIN)


def weights_of(folder: Path) -> list[str]:
    """Return the names of the files that hold a folder's weights.

    Raises:
        UserError: when it has no safetensors, or an index that names none.
    """
    for name in (WEIGHTS, INDEX):
        refuse_dangling(folder / name)
    if (folder / WEIGHTS).is_file():
        return [WEIGHTS]
    if not (folder / INDEX).is_file():
        raise without_weights(folder, names_in(folder))
    return shards_of(folder / INDEX)


def shards_of(index: Path) -> list[str]:
    """Return the names of the weight files that an index lists; all lie beside it.

    Raises:
        UserError: when it lists none, or others.
    """
    names = read_object(index, COPY_AGAIN).get("weight_map")
    if not isinstance(names, dict) or not names:
        raise damaged(index, "it names no weights")
    shards = sorted(set(map(str, names.values())))
    outside = next((name for name in shards if Path(name).name != name), None)
    if outside:
        raise damaged(index, f"it names a file of another folder, {shown(outside)}")
    return shards


def names_in(folder: Path) -> list[str]:
    """Return the names of what lies in a folder, hidden things aside."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def _refuse_integers(path: Path, tensors: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse weights that are integers: without their scales, they are other numbers than the model was trained to."""
    integers = [name for name, tensor in tensors.items() if _is_integer(name, str(tensor["dtype"]))]
    if integers:
        raise UserError(
            f"The weights of {path.parent} are quantised: {path.name} has {integers[0]} as"
            f" integers ({tensors[integers[0]]['dtype']}), which training cannot change.",
            "Give the checkpoint that they were made from.",
        )


def _is_integer(name: str, dtype: str) -> bool:
    return name.endswith(".weight") and dtype.startswith(("I", "U", "BOOL"))


def _checked_tensors(path: Path) -> dict[str, Any]:
    """Return what a safetensors file says of its tensors; refuse one whose length contradicts its header."""
    try:
        size = path.stat().st_size
        if is_pointer(path):
            raise pointer_error(path)
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            is_plausible = 8 + length <= size and length <= _LONGEST_HEADER
            header: Any = json.loads(file.read(length)) if is_plausible else None
        tensors = {name: tensor for name, tensor in header.items() if name != "__metadata__"}
        wanted = 8 + length + max(tensor["data_offsets"][1] for tensor in tensors.values())
        if not all(isinstance(tensor["shape"], list) and tensor["dtype"] for tensor in tensors.values()):
            raise TypeError
    except FileNotFoundError as error:
        raise damaged(path, error.strerror or str(error)) from error
    except OSError as error:
        raise cannot_read(path, error, COPY_AGAIN) from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise damaged(path, f"its {size} bytes are not valid safetensors") from error
    if wanted != size:
        raise damaged(path, f"it has {size} bytes instead of {wanted}")
    return tensors


def _check_fit(folder: Path, config: Mapping[str, Any], shapes: Mapping[str, list[int]]) -> None:
    """Refuse a config.json that was put beside another model's weights, as tables of words and numbers of layers show.

    What else does not fit is found when the weights are loaded.
    """
    tables = {tuple(shape) for name, shape in shapes.items() if name.endswith("word_embeddings.weight")}
    widths = ("embedding_size", "input_embedding_size", "hidden_size")
    width = next((name for name in widths if name in config), "hidden_size")
    layers = {int(match[1]) for match in map(_LAYER.search, shapes) if match}
    found: list[tuple[str, int, str]] = []
    if len(tables) == 1 and len(table := tables.pop()) == 2:
        found = [("vocab_size", table[0], "tokens"), (width, table[1], "numbers per token")]
    wrong = [(n, has, what) for n, has, what in found if isinstance(config.get(n), int) and config[n] != has]
    said = config.get("num_hidden_layers")
    if layers and isinstance(said, int) and said > max(layers) + 1:
        wrong.append(("num_hidden_layers", max(layers) + 1, "layers"))
    for name, has, what in wrong[:1]:
        raise UserError(
            f"The weights of {folder} do not fit its config.json: they have {has} {what}, and it says"
            f" {name}={config[name]}.",
            "Give a complete checkpoint of the model that config.json describes.",
        )
