from __future__ import annotations

import pytest

from headgate.cli.ending import Exit, fail


def test_an_ending_is_one_message_on_standard_error_and_a_code(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        fail(Exit.STORE, "the disk is full")
    assert ended.value.code == 4
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "headgate: the disk is full\n")
