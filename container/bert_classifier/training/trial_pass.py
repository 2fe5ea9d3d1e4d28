"""Try an encoder before data are read: a text of full length and a batch with padding, forward and backward.

What fails here lies in the checkpoint or its family, and would otherwise end a training in its midst, or spoil it
unseen. All of it is computed on the CPU, with a model that is not trained afterwards.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

from bert_classifier.encoding.text_encoder import EncodedTexts, TextEncoder
from bert_classifier.errors import UserError
from bert_classifier.job.encoder_types import ENCODERS
from bert_classifier.job.encoder_weights import COPY_AGAIN
from bert_classifier.job.wording import first_line
from bert_classifier.modeling.forward import Forward
from bert_classifier.training.failures import is_out_of_memory
from bert_classifier.training.fewer_layers import LEAST_LAYERS, affordable_layers, with_layers

_SHORT, _MIDDLE, _LONG = 0, 5, 24  # tokens of the batch, beside the special ones
_ROUNDING = 1e-3  # of logits


def try_encoder(model: Any, tokenizer: Any, source: str, length: int) -> int:
    """Return `length`, or the most tokens below it that the encoder computes; leave the random generator as it was.

    Args:
        model: a classifier of transformers, with the gradients switched on that training needs.
        source: the encoder's folder or name, for messages.
        length: tokens of the longest text to train, special ones included.
    Raises:
        UserError: when the encoder has weights that are no numbers, cannot compute texts or gradients, or computes
            something that does not follow from the text alone.
    """
    _require_numbers(model, source)
    trial = _Trial(model, tokenizer, source)
    with torch.random.fork_rng(devices=[]):
        longest = trial.longest(length)
        trial.check_batch(longest)
    return longest


def _require_numbers(model: Any, source: str) -> None:
    """Refuse weights that are NaN or infinite."""
    bad = [name for name, weights in model.named_parameters() if not _are_numbers(weights)]
    if bad:
        raise UserError(
            f"The weights of {source} are not all numbers: NaN or infinity in {len(bad)} tensor(s), such as {bad[0]}.",
            f"{COPY_AGAIN} If they agree, use another checkpoint.",
        )


def _are_numbers(values: torch.Tensor) -> bool:
    if not values.numel() or not values.is_floating_point():
        return True
    return all(bool(extreme.isfinite()) for extreme in values.detach().aminmax())


class _Trial:
    def __init__(self, model: Any, tokenizer: Any, source: str) -> None:
        self._model = model
        self._name = f"{source} (type {model.config.model_type})"
        self._tokenizer = tokenizer
        self._forward = Forward(model, tokenizer.pad_token_id, torch.device("cpu"), "fp32")
        special = set(tokenizer.all_special_ids)
        self._words = [number for number in sorted(tokenizer.get_vocab().values()) if number not in special]

    def longest(self, length: int) -> int:
        """Return `length`, or the most tokens below it that can be computed."""
        try:
            self._pass_one(length)
        except Exception as error:
            if is_out_of_memory(error) or isinstance(error, UserError):
                raise
            most = self._most_below(length)
            if not most:
                raise self._cannot_compute(f"a text of {length} tokens", error) from error
            return most
        return length

    def _pass_one(self, length: int) -> None:
        """Compute one text of so many tokens, by as many layers as take seconds, with its gradient if that does too."""
        texts = self._texts(length, length)
        count, has_gradient = affordable_layers(self._model, length)
        self._compute(count, lambda: self._train(texts) if has_gradient else self._logits(texts))

    def _compute(self, layers: int, compute: Callable[[], object]) -> None:
        """Compute with the first layers; with all if that fails, since not every family can do with fewer."""
        try:
            with with_layers(self._model, layers):
                compute()
        except UserError:
            raise
        except Exception:  # noqa: BLE001 - the second attempt raises it again
            compute()

    def _most_below(self, length: int) -> int:
        """Return the most tokens that can be computed, found by halving; 0 if not even a few can."""
        low, high = 0, length
        while high - low > 1:
            middle = (low + high) // 2 if low else min(_LONG, high - 1)
            low, high = (middle, high) if self._computes(middle) else (low, middle)
            if not low:
                return 0
        return low

    def _computes(self, length: int) -> bool:
        try:
            self._compute(1, lambda: self._logits(self._texts(length, length)))
        except Exception as error:
            if is_out_of_memory(error):
                raise
            return False
        return True

    def check_batch(self, longest: int) -> None:
        """Refuse an encoder whose logits of a text follow from something else than the text, or that has no gradients.

        Args:
            longest: tokens that it computes.
        """
        texts = self._texts(longest, _SHORT, _MIDDLE, _LONG)
        before = _state_of(self._model)
        try:
            self._compute(LEAST_LAYERS, lambda: self._check_texts(texts, longest))
        except Exception as error:
            if is_out_of_memory(error) or isinstance(error, UserError):
                raise
            raise self._cannot_compute(f"texts of {_listed(texts.lengths)} tokens", error) from error
        self._check_memory(before)

    def _check_texts(self, texts: EncodedTexts, longest: int) -> None:
        alone = torch.cat([self._logits(texts, [index]) for index in range(len(texts))])
        self._check_chance(alone[-1:], self._logits(texts, [len(texts) - 1]))
        self._check_words(alone[-1:], self._logits(self._other_text(longest)), longest)
        self._train(texts)

    def _other_text(self, longest: int) -> EncodedTexts:
        """Return a text as long as the last of the batch, of other words."""
        return self._texts(longest, _LONG, first=len(self._words) // 2)

    def _check_chance(self, once: torch.Tensor, again: torch.Tensor) -> None:
        if not torch.allclose(once, again, rtol=_ROUNDING, atol=_ROUNDING):
            raise UserError(
                f"{self._name} answers one text differently each time: it draws random numbers.", ENCODERS
            )

    def _are_alike_with_a_fresh_head(self, longest: int) -> bool:
        """Return whether it is not the head alone, such as one of zeros, that answers two texts alike."""
        encoder = {id(weights) for weights in self._model.base_model.parameters()}
        head = [weights for weights in self._model.parameters() if id(weights) not in encoder]
        kept = [weights.data for weights in head]
        for weights in head:
            weights.data = torch.randn_like(weights)
        try:
            one, other = self._logits(self._texts(longest, _LONG)), self._logits(self._other_text(longest))
        finally:
            for weights, data in zip(head, kept, strict=True):
                weights.data = data
        return torch.equal(one, other)

    def _check_words(self, one: torch.Tensor, other: torch.Tensor, longest: int) -> None:
        if (
            len(self._words) > _LONG
            and torch.equal(one, other)
            and self._are_alike_with_a_fresh_head(longest)
        ):
            raise UserError(
                f"{self._name} answers all texts alike here: its tokens do not attend to each other.",
                ENCODERS,
            )

    def _check_memory(self, before: Mapping[tuple[str, str], object]) -> None:
        """Refuse a model that short texts turn into another one for the texts that follow, as BigBird's."""
        after = _state_of(self._model)
        changed = [key for key in before if after.get(key) != before[key]]
        if not changed:
            return
        attribute = changed[0][1]
        was, became = before[changed[0]], after.get(changed[0])
        is_setting = hasattr(self._model.config, attribute)
        raise UserError(
            f"What {self._name} computes for a text depends on the texts before it: short ones change its {attribute}"
            f" from {was} to {became} for good.",
            f'Set "{attribute}": "{became}" in its config.json.' if is_setting else ENCODERS,
        )

    def _logits(self, texts: EncodedTexts, windows: list[int] | None = None) -> torch.Tensor:
        """Return the logits of all or some texts, as they are predicted."""
        chosen = np.arange(len(texts)) if windows is None else np.array(windows)
        self._model.eval()
        return self._require_finite(_without_gradient(lambda: self._forward(texts, chosen)), texts)

    def _train(self, texts: EncodedTexts) -> None:
        """Compute the gradients of the vectors (biases and norms of all layers): those of matrices take memory."""
        self._model.train()
        logits = self._require_finite(self._forward(texts, np.arange(len(texts))), texts)
        trained = [weights for weights in self._model.parameters() if weights.requires_grad]
        vectors = [weights for weights in trained if weights.ndim == 1] or trained
        loss = (logits.logsumexp(1) - logits[:, 0]).sum()
        gradients = torch.autograd.grad(loss, vectors, allow_unused=True)
        if not all(_are_numbers(gradient) for gradient in gradients if gradient is not None):
            raise self._not_finite("gradients", texts)

    def _require_finite(self, logits: torch.Tensor, texts: EncodedTexts) -> torch.Tensor:
        if not _are_numbers(logits):
            raise self._not_finite("logits", texts)
        return logits

    def _not_finite(self, what: str, texts: EncodedTexts) -> UserError:
        return UserError(
            f"{self._name} computes {what} that are not finite for a text of {texts.lengths.max()} tokens.",
            f"{COPY_AGAIN} If they agree, use another checkpoint.",
        )

    def _cannot_compute(self, what: str, error: Exception) -> UserError:
        reason = f"{type(error).__name__}: {first_line(error).rstrip(' .:')}"
        return UserError(
            f"{self._name} cannot compute {what}: {reason}.",
            "Correct its config.json, or use another encoder.",
        )

    def _texts(self, longest: int, *lengths: int, first: int = 0) -> EncodedTexts:
        """Return texts of ordinary tokens, the special ones added, cut at `longest` tokens altogether.

        Args:
            first: place in the vocabulary of the first token.
        """
        encoder = TextEncoder(self._tokenizer.backend_tokenizer, self._tokenizer.pad_token_id, longest)
        least, most = (
            int(not encoder.num_special),
            longest - encoder.num_special,
        )  # a text of no token is none
        order = np.roll(self._words, -first)
        return encoder.frame([np.resize(order, min(max(length, least), most)).tolist() for length in lengths])


def _listed(lengths: np.ndarray) -> str:
    return ", ".join(map(str, lengths))


def _without_gradient(compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    with torch.no_grad():  # inference tensors that a model keeps could not be used in training
        return compute()


def _state_of(model: Any) -> dict[tuple[str, str], object]:
    """Return names and switches among the attributes of a model's modules, which a pass should not change."""
    return {
        (name, attribute): value
        for name, module in model.named_modules()
        for attribute, value in vars(module).items()
        if attribute != "training" and isinstance(value, str | bool)
    }
