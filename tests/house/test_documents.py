"""What the documents say is so: generated pages are current, commands exist, links lead somewhere, lists are complete."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import click
import pytest

# What an operator is promised; a command may exist that is not here, but none of these may be missing.
PROMISED = {
    *("init", "check", "serve", "reload", "demo"),
    *("key.issue", "key.list", "key.rotate", "key.revoke"),
    *("budget.show", "budget.set"),
    *("price.list", "price.show", "price.import", "price.diff"),
    *("ledger.verify", "ledger.resolve", "ledger.thaw"),
    "rehearse.openai",
    *("bench.cap", "bench.crash", "bench.power", "bench.weekend", "bench.levels"),
}

# Names that a page may give to a command which is a group of others.
GROUPS = {name.partition(".")[0] for name in PROMISED if "." in name}

LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(#[^)\s]*)?\)")
CALLED = re.compile(r"(?:^|`)(headgate|make) ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?", re.MULTILINE)


@pytest.fixture(scope="module")
def reference(root: Path) -> ModuleType:
    """tools/reference.py, loaded from its file."""
    spec = importlib.util.spec_from_file_location("reference", root / "tools/reference.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def documents(root: Path) -> dict[str, str]:
    """Every page that we write, by its place; the rehearsal of a word is no page."""
    files = [*root.glob("*.md"), *(root / "docs").rglob("*.md"), *(root / "requirements").glob("*.md"), *(root / "bench").glob("*.md")]
    return {file.relative_to(root).as_posix(): file.read_text(encoding="utf-8") for file in sorted(files)}


@pytest.mark.parametrize("name", ["commands.md", "refusals.md", "settings.md"])
def test_a_generated_page_is_current(root: Path, reference: ModuleType, name: str) -> None:
    text = reference.page(name)
    if text is None:
        return  # the code that it is made from does not exist: there is nothing to be current with
    file = root / "docs/reference" / name
    assert file.exists() and file.read_text(encoding="utf-8") == text, f"docs/reference/{name} is stale: run make docs"


def test_every_link_leads_to_a_file(root: Path, documents: dict[str, str]) -> None:
    broken = [
        f"{name}: {match[1]}"
        for name, text in documents.items()
        for match in LINK.finditer(text)
        # A generated page that cannot be generated yet is no broken link.
        if not (root / name).parent.joinpath(match[1]).exists() and "reference/" not in match[1]
    ]
    assert broken == []


def test_every_link_to_a_heading_finds_it(root: Path, documents: dict[str, str]) -> None:
    lost: list[str] = []
    for name, text in documents.items():
        for match in LINK.finditer(text):
            if not match[2]:
                continue
            target = (root / name).parent.joinpath(match[1])
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
            if match[2][1:] not in anchors:
                lost.append(f"{name}: {match[1]}{match[2]}")
    assert lost == []


def test_every_make_target_that_a_page_names_exists(root: Path, documents: dict[str, str]) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (root / "Makefile").read_text(), re.MULTILINE))
    named = {match[2] for text in documents.values() for match in CALLED.finditer(text) if match[1] == "make"}
    assert named - targets == set()
    assert {"check", "test", "test-long", "demo", "bench", "docs"} <= targets


def test_every_command_that_a_page_names_exists(documents: dict[str, str]) -> None:
    known = tree()
    missing: list[str] = []
    for name, text in documents.items():
        for match in CALLED.finditer(text):
            if match[1] != "headgate":
                continue
            group, inner = match[2], match[3]
            path = f"{group}.{inner}" if group in GROUPS and inner else group
            if path not in known and path not in GROUPS:
                missing.append(f"{name}: headgate {path.replace('.', ' ')}")
    assert missing == []


def tree() -> set[str]:
    """Every command by its path, as far as its file exists; what is promised counts as existing until the tree is whole."""
    if importlib.util.find_spec("headgate.cli.main") is None:
        return PROMISED
    root_command = importlib.import_module("headgate.cli.main").cli
    found: set[str] = set()
    whole = walk(root_command, (), found)
    if not whole:
        return found | PROMISED
    assert PROMISED - found == set(), "a promised command is missing"
    return found


def walk(command: click.Command, names: tuple[str, ...], found: set[str]) -> bool:
    if not isinstance(command, click.Group):
        found.add(".".join(names))
        return True
    whole = True
    context = click.Context(command)
    for name in command.list_commands(context):
        try:
            inner = command.get_command(context, name)
        except ModuleNotFoundError:
            whole = False
            continue
        if inner is not None:
            whole &= walk(inner, (*names, name), found)
    return whole


def test_every_exit_code_is_documented(documents: dict[str, str]) -> None:
    if importlib.util.find_spec("headgate.cli.ending") is None:
        return
    codes = {int(code) for code in importlib.import_module("headgate.cli.ending").Exit}
    section = documents["docs/operating.md"].partition("## Exit codes")[2]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == codes


def test_decisions_are_numbered_listed_and_one_page_long(root: Path) -> None:
    folder = root / "docs/decisions"
    files = sorted(file.name for file in folder.glob("0*.md"))
    assert [int(name[:4]) for name in files] == list(range(1, len(files) + 1))
    listed = (folder / "README.md").read_text(encoding="utf-8")
    assert [name for name in files if f"({name})" not in listed] == []
    for name in files:
        text = (folder / name).read_text(encoding="utf-8")
        assert text.startswith(f"# {name[:4]}: "), name
        assert len(text.splitlines()) <= 60, f"{name} is longer than a page"
        assert all(word in text for word in ("**Asked.**", "**Chosen.**", "**Costs.**")), name


def test_the_architecture_fits_one_sitting(documents: dict[str, str]) -> None:
    assert len(documents["ARCHITECTURE.md"].splitlines()) < 150


def test_the_five_assumptions_stand_beside_the_promise(documents: dict[str, str]) -> None:
    promise = documents["docs/budgets.md"].partition("## What the promise rests on")[2]
    assert "posted + held ≤ cap" in promise
    assert all(f"| A{number} |" in promise for number in range(1, 6))


def test_every_dependency_at_run_time_has_its_reason(root: Path, documents: dict[str, str]) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    asked = [line for line in (root / "requirements/run.in").read_text().splitlines() if line and not line.startswith("#")]
    assert asked == project["dependencies"], "requirements/run.in and pyproject.toml are one list"
    assert len(asked) <= 18
    names = [re.split(r"[<>=;\[ ]", line)[0] for line in asked]
    reasons = documents["docs/decisions/0014-dependencies.md"]
    assert [name for name in names if f"| {name} |" not in reasons] == []
    assert re.findall(r"^\| ([a-z][a-z-]*) \| ", reasons, re.MULTILINE)[1:] == names, "the table lists what is used, in order"


def test_a_lock_holds_versions_and_hashes_and_nothing_else(root: Path) -> None:
    line = re.compile(r"[a-z0-9][a-z0-9._-]*==\S+ \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?|#.*|")
    for file in sorted((root / "requirements").glob("*.txt")):
        strange = [text for text in file.read_text().splitlines() if not line.fullmatch(text)]
        assert strange == [], file.name
        asked = {
            re.split(r"[<>=;\[ ]", text)[0]
            for text in file.with_suffix(".in").read_text().splitlines()
            if text and not text.startswith(("#", "-c"))
        }
        locked = set(re.findall(r"^([a-z0-9._-]+)==", file.read_text(), re.MULTILINE))
        assert asked - locked == set(), f"{file.name} is older than its .in file: run make lock"
    assert "resolved" not in (root / "requirements/node/package-lock.json").read_text()
