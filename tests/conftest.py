"""What every test shares: how many examples a promise is tried on, where outside programs are, and that CI skips nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
ON_CI = os.environ.get("CI", "") not in ("", "0", "false")

# No deadline: a shared machine is slow when it likes, and no test asserts a time. Quick runs repeat themselves; long ones look around.
settings.register_profile("quick", deadline=None, max_examples=50, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", deadline=None, max_examples=5_000, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "quick"))

# A program that a test may ask for: where else to look than on PATH, and how to get it.
PROGRAMS: dict[str, tuple[tuple[Path, ...], str]] = {
    "codex": ((ROOT / ".tools/node_modules/.bin/codex",), "make test installs it, with npm"),
    "curl": ((), "a package of that name"),
    "gcc": ((), "a package of that name"),
    "git": ((), "a package of that name"),
    "nginx": ((Path("/usr/sbin/nginx"), Path("/usr/local/sbin/nginx")), "the Debian package nginx-light"),
}


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    """A skip is a failure in CI, where everything that a test needs is installed: otherwise the tests could shrink unseen."""
    outcome = yield
    report = outcome.get_result()  # type: ignore[attr-defined]  # pluggy's result, which a plain Iterator does not tell
    if ON_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"CI may not skip a test: {report.longrepr}"


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def program() -> Callable[[str], Path]:
    """Finds an outside program by name, or skips the test and says how to get it."""

    def find(name: str) -> Path:
        elsewhere, how = PROGRAMS[name]
        named = os.environ.get(f"{name.upper()}_BIN")
        found = [file for file in elsewhere if os.access(file, os.X_OK)]
        on_path = shutil.which(name)
        chosen = named or (str(found[0]) if found else on_path)
        if chosen is None:
            pytest.skip(f"{name} is not installed: {how}")
        return Path(chosen)

    return find
