"""Which files of a pretrained encoder's folder belong to it: what a local run copies and the launcher uploads.

Weights in other forms, pickles and code stay behind. Standard library only.
"""

from pathlib import Path

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_folder import TOKENIZER_FILES, check_folder, encoder_source
from bert_classifier.job.encoder_weights import INDEX, WEIGHTS, weights_of

# Of sentence-transformers; some checkpoints have its folder without its modules.json.
POOLING_FILE = "1_Pooling/config.json"
# training.json: whose head it is, of a model that this program trained; modules.json: a sentence encoder's parts.
_OTHERS = ("config.json", "training.json", "modules.json", *TOKENIZER_FILES)


def encoder_files(folder: Path) -> dict[str, Path]:
    """Return the files of a pretrained encoder and its tokenizer by the names that they have in a `model` channel.

    Raises:
        UserError: when the folder does not exist or is no encoder's; see check_folder.
        PlatformError: when disk or permissions prevent reading a file.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(
            f"{folder} cannot be the model: it {what}.",
            "Give the folder of an encoder; an archive must be unpacked first (tar -xf model.tar.gz -C folder).",
        )
    check_folder(str(folder))
    own = Path(encoder_source(str(folder)))
    weights = weights_of(own)
    return checkpoint_files(folder, [*weights, *([INDEX] if WEIGHTS not in weights else [])])


def checkpoint_files(folder: Path, weights: list[str]) -> dict[str, Path]:
    """Return the files of a checkpoint with these weights, by their names in a `model` channel."""
    own = Path(encoder_source(str(folder)))
    files = {name: own / name for name in (*weights, *_OTHERS) if (own / name).is_file()}
    pooling = pooling_file(own)
    return {**files, POOLING_FILE: pooling} if pooling else files


def pooling_file(folder: Path) -> Path | None:
    """Return the file in which a sentence encoder says what it reads of its tokens; it may lie beside its folder."""
    places = [folder, *([folder.parent] if (folder.parent / "modules.json").is_file() else [])]
    return next((place / POOLING_FILE for place in places if (place / POOLING_FILE).is_file()), None)
