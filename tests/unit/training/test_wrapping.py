"""Methods of one object that are wrapped, and what is left of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

from ocr_otel.training.wrapping import is_own, wrap


class Owner:
    def __init__(self) -> None:
        self.name = "owner"

    def plain(self) -> str:
        return self.name

    @staticmethod
    def static() -> str:
        return "static"

    @classmethod
    def of_class(cls) -> str:
        return cls.__name__


def louder(original: Callable[[], str]) -> str:
    return original().upper()


@pytest.mark.parametrize("name", ["plain", "static", "of_class"])
def test_method_of_the_class_is_wrapped_and_shows_again(name: str) -> None:
    owner = Owner()
    before = getattr(owner, name)()
    undo = wrap(owner, name, louder)
    assert getattr(owner, name)() == before.upper()
    assert is_own(owner, name)
    undo()
    assert getattr(owner, name)() == before
    assert vars(owner) == {"name": "owner"}
    undo()


def test_method_set_on_the_object_is_put_back() -> None:
    owner: Any = Owner()
    owner.plain = own = lambda: "own"
    undo = wrap(owner, "plain", louder)
    assert owner.plain() == "OWN"
    undo()
    assert owner.plain is own


def test_method_of_the_same_class_bound_to_another_object_is_the_objects_own() -> None:
    owner: Any = Owner()
    owner.plain = Owner().plain
    assert is_own(owner, "plain")


def test_attributes_stay_where_they_are_found_fastest() -> None:
    owner = Owner()
    wrap(owner, "plain", louder)()
    assert not any(isinstance(each, dict) for each in gc.get_referents(owner))
    assert is_own(owner, "static") is False
    # What is found so is what `vars` changes.
    assert any(isinstance(each, dict) for each in gc.get_referents(owner))
