"""The base class for your own label mapper, which converts labels in the data to class indices and back."""

import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable
from typing import Self

from bert_classifier.errors import UserError


class ClassNames(tuple[str, ...]):
    """Class names in the order of their indices.

    Attributes:
        are_numbered: whether labels may count them from 1, as where a class file lists them; None if that is unknown.
    """

    are_numbered: bool | None

    def __new__(cls, names: Iterable[str], *, are_numbered: bool | None = None) -> Self:
        """Return the names."""
        made = super().__new__(cls, names)
        made.are_numbered = are_numbered
        return made


class LabelMapperBase(ABC):
    """Maps raw labels to the indices 0 … num_classes-1 and back.

    A subclass that lacks a method cannot be instantiated, so the mistake surfaces before training.
    """

    @abstractmethod
    def map(self, label: str) -> int:
        """Return the index of a raw label.

        Raises:
            ValueError: when the label is unknown; the message says what is valid.
        """

    @abstractmethod
    def reverse_map(self, index: int) -> str:
        """Return the class name for this index, as the endpoint returns it."""

    @property
    @abstractmethod
    def num_classes(self) -> int:
        """The number of classes."""

    @property
    def positive_label(self) -> str | None:
        """The raw label whose F1 selects the best weights; None selects them by accuracy."""
        return None

    @property
    def positive_label_index(self) -> int | None:
        """The index of the positive label, if there is one."""
        return None if self.positive_label is None else self.map(self.positive_label)


def class_names(mapper: LabelMapperBase) -> list[str]:
    """Return the class names in the order of their indices.

    Raises:
        UserError: when there are fewer than two classes, or a name is unprintable or names two classes.
    """
    owner = type(mapper).__name__
    names = [_name_of(mapper, index) for index in range(mapper.num_classes)]
    if len(names) < 2:
        found = f"the only label is {names[0]!r}" if names else "there is no label"
        raise UserError(
            f"A classifier needs at least two classes, and {found}.", "Give texts of another class."
        )
    for index, name in enumerate(names):
        if not isinstance(name, str) or not name.strip() or not name.isprintable():
            raise UserError(
                f"{owner}.reverse_map({index}) gives {name!r}{_unprintable(name)}.",
                "Each class needs a printable name: correct the labels or the class file.",
            )
    twice = sorted(name for name, count in Counter(names).items() if count > 1)
    if twice:
        raise UserError(f"{owner} gives several classes the name {twice[0]!r}.", "Make the names distinct.")
    return names


def _unprintable(name: object) -> str:
    """Return a phrase for the first unprintable character of a name; "" without one."""
    characters = (c for c in name if not c.isprintable()) if isinstance(name, str) else iter(())
    character = next(characters, "")
    named = unicodedata.name(character, "a control character") if character else ""
    return f", with U+{ord(character):04X} ({named.lower()})" if character else ""


def positive_index(mapper: LabelMapperBase) -> int | None:
    """Return the index of the mapper's positive label, None without one.

    Raises:
        UserError: when the mapper does not know that label.
    """
    try:
        return mapper.positive_label_index
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{type(mapper).__name__} does not know its own positive_label {mapper.positive_label!r}.",
            "Let positive_label return a raw label of the data, one that map() knows.",
        ) from error


def _name_of(mapper: LabelMapperBase, index: int) -> str:
    try:
        return mapper.reverse_map(index)
    except Exception as error:
        raise UserError(
            f"{type(mapper).__name__}.reverse_map({index}) fails: {type(error).__name__}: {error}.",
            f"It must name each class from 0 to num_classes-1 = {mapper.num_classes - 1}.",
        ) from error
