from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from headgate.config.problem import Unfit
from headgate.config.secret import Secret, SecretSource, fetch, read_source

ENV = SecretSource("env", "KEY")


def test_a_secret_is_never_shown_copied_or_sent() -> None:
    secret, caution = fetch(ENV, {"KEY": "sk-real"}, Path())
    assert secret.reveal() == b"sk-real"
    assert caution is None
    assert repr(secret) == str(secret) == f"{secret}" == "Secret(env:KEY)"
    assert "sk-real" not in repr([secret, {"a": secret}])
    for leak in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            leak(secret)


def test_two_secrets_of_one_value_are_equal_wherever_they_came_from() -> None:
    assert Secret(ENV, b"x") == Secret(SecretSource("file", "f"), b"x")
    assert Secret(ENV, b"x") != Secret(ENV, b"y")


@pytest.mark.parametrize("value", ["sk-abc", "env:", "env:A-B", "env:1A", "file:", "vault:x", "", 5, None, ["env:A"], "Env:KEY"])
def test_what_is_not_a_reference_may_be_the_secret_itself_and_is_not_repeated(value: object) -> None:
    with pytest.raises(Unfit) as caught:
        read_source(value)
    assert "not shown" in caught.value.found
    assert not isinstance(value, str) or len(value) < 3 or value not in caught.value.found


def test_a_file_loses_its_line_end_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"sk-real\r\n")
    (tmp_path / "key").chmod(0o600)
    secret, caution = fetch(SecretSource("file", "key"), {}, tmp_path)
    assert secret.reveal() == b"sk-real"
    assert caution is None


def test_a_file_that_others_can_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"sk-real")
    (tmp_path / "key").chmod(0o644)
    _, caution = fetch(SecretSource("file", "key"), {}, tmp_path)
    assert caution is not None
    assert "chmod 600" in caution


@pytest.mark.parametrize("content", [b"", b"\n", b"two lines\n", b"a\nb", b"\xff\xfe", b"a\x00", b"x" * 20_000])
def test_a_secret_that_no_header_could_hold_is_refused_without_being_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(Unfit) as caught:
        fetch(SecretSource("file", "key"), {}, tmp_path)
    assert "two lines" not in caught.value.found


@pytest.mark.parametrize("source", [SecretSource("env", "MISSING"), SecretSource("file", "missing"), SecretSource("file", ".")])
def test_a_secret_that_is_not_there_says_where_it_was_sought(tmp_path: Path, source: SecretSource) -> None:
    with pytest.raises(Unfit):
        fetch(source, {}, tmp_path)
