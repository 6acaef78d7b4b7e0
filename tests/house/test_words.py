"""What no tracked file may say: where one machine keeps things, which host a package comes from, a key that looks real."""

from __future__ import annotations

import re
from pathlib import Path

# Each is put together from pieces, so that this file does not say it either.
HOSTS = [
    "py" + "pi.org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "crates" + ".io",
    "proxy.golang" + ".org",
    "deb.debian" + ".org",
    "repo1.maven" + ".org",
]
PLACES = ["/wo" + "rk/", "/ro" + "ot/", "/tmp/" + "probe", "/tmp/" + "hg", "sha" + "red/tools", "sha" + "red/bench", "sha" + "red/facts"]
HOMES = re.compile("/ho" + r"me/(?!user\b|dev\b|alice\b|bob\b)[a-z]\w+")
KEYS = re.compile("s" + r"k-(?:proj|admin|svcacct)-[A-Za-z0-9_-]{40,}")
CONFLICT = re.compile(r"^(<{7}|>{7}) ", re.MULTILINE)


def texts(tracked: list[Path]) -> list[tuple[Path, str]]:
    read: list[tuple[Path, str]] = []
    for file in tracked:
        data = file.read_bytes()
        if b"\0" not in data:
            read.append((file, data.decode("utf-8")))  # everything that we keep as text is UTF-8
    return read


def test_no_tracked_file_names_a_place_on_one_machine(tracked: list[Path]) -> None:
    found = [f"{file}: {word}" for file, text in texts(tracked) for word in PLACES if word in text]
    found += [f"{file}: {match[0]}" for file, text in texts(tracked) if (match := HOMES.search(text))]
    assert found == []


def test_no_tracked_file_names_the_host_of_a_package_index(tracked: list[Path]) -> None:
    assert [f"{file}: {host}" for file, text in texts(tracked) for host in HOSTS if host in text.casefold()] == []


def test_no_tracked_file_holds_a_key_or_an_unfinished_merge(tracked: list[Path]) -> None:
    assert [str(file) for file, text in texts(tracked) if KEYS.search(text) or CONFLICT.search(text)] == []


def test_nothing_large_or_built_is_tracked(tracked: list[Path]) -> None:
    assert [str(file) for file in tracked if file.stat().st_size > 1 << 20] == []
    assert [str(file) for file in tracked if file.suffix in (".pyc", ".so", ".o", ".whl", ".db", ".sqlite")] == []
