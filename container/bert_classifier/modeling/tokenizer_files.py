"""Make a tokenizer of a checkpoint's own files, by no other rules than theirs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import transformers
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast
from transformers.models.auto.tokenization_auto import TOKENIZER_MAPPING_NAMES
from transformers.utils.hub import cached_file

from bert_classifier.errors import UserError
from bert_classifier.job.encoder_folder import SENTENCEPIECE_FILES, TOKENIZER_FILE
from bert_classifier.job.encoder_weights import COPY_AGAIN
from bert_classifier.job.json_files import read_object
from bert_classifier.modeling.added_tokens import add_tokens, check_ids, content_of, ids_in_file
from bert_classifier.modeling.model_folder import cannot_load
from bert_classifier.modeling.sentencepiece_model import convert, laid_out_by, roles_of
from bert_classifier.modeling.vocabulary_file import check_vocabulary

TOKENIZER_CONFIG = "tokenizer_config.json"
_MODEL_CONFIG = "config.json"
_ADDED_TOKENS = "added_tokens.json"
_VOCABULARIES = ("vocab.txt", "vocab.json")  # from which transformers makes the tokenizer
# Families for which transformers names no class of their own, with the one whose layout of ids they have.
_SENTENCEPIECE_CLASSES = {"xlm-roberta-xl": "XLMRobertaTokenizer"}
_MISSING = ("gated_repo", "missing_entries", "connection_errors")
_ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
_USUAL_PADDING = ("[PAD]", "<pad>", "<|pad|>", "<|padding|>")


class OwnTokenizer(NamedTuple):
    """A checkpoint's own tokenizer, and the name of the file that holds it."""

    tokenizer: Tokenizer
    file: str


class TokenizerFiles:
    """The files of a checkpoint, in a folder or, once transformers has loaded it, in the hub's cache on this machine.

    Args:
        source: the folder or hub name.
        revision: of the hub name.
    """

    def __init__(self, source: str, revision: str | None = None) -> None:
        self.source = source
        self._revision = revision
        self._model_config = self._object(_MODEL_CONFIG)
        self.settings = self._object(TOKENIZER_CONFIG)

    def tokenizer(self) -> OwnTokenizer | None:
        """Return the checkpoint's own tokenizer; None if it has only a vocabulary, or nothing.

        Raises:
            UserError: when the file cannot be used, or another contradicts it.
        """
        if path := self._path(TOKENIZER_FILE):
            try:
                own = OwnTokenizer(Tokenizer.from_file(str(path)), TOKENIZER_FILE)
            except Exception as error:  # the library raises nothing more specific
                raise cannot_load("tokenizer", self.source, error) from error
            check_ids(own.tokenizer, ids_in_file(path), path)
        elif any(self._path(name) for name in _VOCABULARIES):
            return None
        elif path := next((found for name in SENTENCEPIECE_FILES if (found := self._path(name))), None):
            own = OwnTokenizer(self._converted(path), path.name)
        else:
            return None
        # Ids that a file without tokens of its own gets from its class, whatever other files call them.
        self._add_tokens(own.tokenizer, 0 if own.file == TOKENIZER_FILE else laid_out_by(self.class_name))
        return own

    def add_roles(
        self, own: OwnTokenizer, by_class: transformers.PreTrainedTokenizerBase | None
    ) -> dict[str, str] | None:
        """Make the checkpoint's special tokens those of its own tokenizer; return them by role, None without padding.

        Args:
            by_class: transformers' tokenizer of the same checkpoint; its roles count where no file names a token for
                them and the checkpoint's own has the token.
        """
        usual = by_class.special_tokens_map if by_class is not None else {}
        if own.file != TOKENIZER_FILE:
            usual = roles_of(self.class_name)
        added = {token.content for token in own.tokenizer.get_added_tokens_decoder().values()}
        roles = {role: str(usual[role]) for role in _ROLES if str(usual.get(role)) in added}
        roles |= self._named_roles()
        guessed = {
            "unk_token": getattr(own.tokenizer.model, "unk_token", None),
            "pad_token": self._padding(own.tokenizer),
        }
        roles = {**{role: token for role, token in guessed.items() if token}, **roles}
        own.tokenizer.add_special_tokens([token for token in roles.values() if token not in added])
        return roles if "pad_token" in roles else None

    def fast_tokenizer(self, own: OwnTokenizer, roles: Mapping[str, str]) -> PreTrainedTokenizerFast:
        """Return the checkpoint's own tokenizer as an object of transformers."""
        return PreTrainedTokenizerFast(tokenizer_object=own.tokenizer, **roles)

    @property
    def padding_of_model(self) -> int | None:
        """The id of the padding token in config.json."""
        index = self._model_config.get("pad_token_id")
        return index if isinstance(index, int) and index >= 0 else None

    @property
    def class_name(self) -> str:
        """transformers' class for this checkpoint, without "Fast"; "" if unknown."""
        named = self.settings.get("tokenizer_class") or self._model_config.get("tokenizer_class")
        if named and named not in ("PreTrainedTokenizerFast", "TokenizersBackend", "PreTrainedTokenizer"):
            return str(named).removesuffix("Fast")
        kind = self._model_config.get("model_type", "")
        return _SENTENCEPIECE_CLASSES.get(kind) or str(TOKENIZER_MAPPING_NAMES.get(kind) or "")

    def _converted(self, path: Path) -> Tokenizer:
        try:
            return convert(path, self.class_name, self.settings)
        except ValueError as error:
            raise UserError(
                f"{self.source} has no tokenizer.json, and its {path.name} cannot be converted: {error}.",
                "Give a checkpoint that has a tokenizer.json.",
            ) from error

    def _padding(self, tokenizer: Tokenizer) -> str | None:
        """Return the padding token where no file names it."""
        index = self.padding_of_model
        by_config = None if index is None else tokenizer.id_to_token(index)
        if by_config in {token.content for token in tokenizer.get_added_tokens_decoder().values()}:
            return by_config
        if tokenizer.padding:
            return str(tokenizer.padding["pad_token"])
        return next((token for token in _USUAL_PADDING if tokenizer.token_to_id(token) is not None), None)

    def _named_roles(self) -> dict[str, str]:
        """Return the special tokens that the files name, by role."""
        named = {**self._object("special_tokens_map.json"), **self.settings}
        tokens = {role: content_of(named[role]) for role in _ROLES if isinstance(named.get(role), str | dict)}
        return {role: token for role, token in tokens.items() if token}

    def check_by_class(self, tokenizer: PreTrainedTokenizerFast) -> None:
        """Add what files state to the tokenizer that transformers makes of a vocabulary alone, and check its ids.

        Raises:
            UserError: when a token cannot have its id, or the vocabulary is damaged; see check_vocabulary.
        """
        if path := next((found for name in _VOCABULARIES if (found := self._path(name))), None):
            added = [content_of(fields) for fields in self._added_tokens()[0].values()]
            check_vocabulary(path, tokenizer, added, self._model_config.get("vocab_size"))
        self._add_tokens(tokenizer.backend_tokenizer, 0)

    @property
    def lacks_merges(self) -> bool:
        """Whether a vocabulary of byte pairs lies without the list of their merges."""
        return bool(self._path("vocab.json")) and not self._path("merges.txt")

    def _add_tokens(self, tokenizer: Tokenizer, first: int) -> None:
        """Add the tokens that only tokenizer_config.json or added_tokens.json has, at the ids that these name.

        Args:
            first: of the ids that they may name; lower ones are passed over.
        Raises:
            UserError: when a token cannot have its id.
        """
        stated, path = self._added_tokens()
        add_tokens(tokenizer, {index: fields for index, fields in stated.items() if index >= first}, path)

    def _added_tokens(self) -> tuple[dict[int, Any], Path]:
        """Return the tokens that tokenizer_config.json or added_tokens.json adds, by id, and the path of that file."""
        decoder = self.settings.get("added_tokens_decoder") or {}
        stated = {int(index): token for index, token in decoder.items()}
        if not decoder:
            special = set(self._named_roles().values())
            plain = self._object(_ADDED_TOKENS)
            stated = {
                index: {"content": token, "special": token in special} for token, index in plain.items()
            }
        path = self._path(TOKENIZER_CONFIG if decoder else _ADDED_TOKENS)
        return stated, path or Path(self.source)

    def _object(self, name: str) -> dict[str, Any]:
        path = self._path(name)
        return read_object(path, COPY_AGAIN) if path else {}

    def _path(self, name: str) -> Path | None:
        """Return where a file of the checkpoint is; None if it has no such file."""
        if Path(self.source).is_dir():
            path = Path(self.source) / name
            return path if path.is_file() else None
        missing = dict.fromkeys((f"_raise_exceptions_for_{what}" for what in _MISSING), False)
        try:
            found = cached_file(self.source, name, revision=self._revision, local_files_only=True, **missing)
        except OSError:  # not a name; who loads the tokenizer is told
            found = None
        return Path(found) if found else None
