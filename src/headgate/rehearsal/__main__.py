"""`python -m headgate.rehearsal`: starts the rehearsal of OpenAI; the first line of standard output says where it is."""

from __future__ import annotations

import argparse
import json
import os
import secrets
import sys
from collections.abc import Sequence

import uvloop

from headgate.rehearsal.server import raise_open_files, serve
from headgate.rehearsal.settings import MEAN, Settings, changed
from headgate.rehearsal.shapes import Table, Unreadable, decode
from headgate.rehearsal.world import World

_EX_USAGE = 64
_EX_UNAVAILABLE = 69


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="headgate rehearse openai", description="Plays OpenAI on this machine, with a meter of its own.")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0 takes a free one (default: %(default)s)")
    parser.add_argument(
        "--key", action="append", default=[], help="an API key to accept; may be given several times; one is made when none is given"
    )
    parser.add_argument(
        "--project", action="append", default=[], help="the project of the key in the same place (default: proj_rehearsal_1, …)"
    )
    parser.add_argument("--admin-key", default="sk-admin-rehearsal", help="the key for /v1/organization (default: %(default)s)")
    parser.add_argument(
        "--mean", action="store_true", help="one token per byte, always the whole of max_output_tokens, billed in full after a disconnect"
    )
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting, as POST /rehearsal/settings takes it")
    parser.add_argument("--seed", type=int, default=1, help="for faults with a probability (default: %(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    given = arguments().parse_args(argv)
    settings = _settings(given.mean, given.set)
    if isinstance(settings, str):
        sys.stderr.write(f"rehearsal: {settings}\n")
        return _EX_USAGE
    host, _, port = given.listen.rpartition(":")
    if not port.isdigit() or not host:
        sys.stderr.write(f"rehearsal: --listen {given.listen!r} is not HOST:PORT, for example 127.0.0.1:0\n")
        return _EX_USAGE
    keys = {
        key: given.project[index] if index < len(given.project) else f"proj_rehearsal_{index + 1}" for index, key in enumerate(given.key)
    }
    keys = keys or {f"sk-rehearsal-{secrets.token_hex(16)}": (given.project or ["proj_rehearsal_1"])[0]}
    raise_open_files()

    def announce(bound_host: str, bound_port: int) -> None:
        shown = f"[{bound_host}]" if ":" in bound_host else bound_host
        origin = f"http://{shown}:{bound_port}"
        line = {"base_url": f"{origin}/v1", "origin": origin, "keys": keys, "admin_key": given.admin_key, "pid": os.getpid()}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()

    try:
        uvloop.run(serve(World(keys, given.admin_key, settings, given.seed), host.strip("[]"), int(port), announce))
    except OSError as problem:
        sys.stderr.write(f"rehearsal: cannot listen on {given.listen}: {problem.strerror or problem}\n")
        return _EX_UNAVAILABLE
    return 0


def _settings(mean: bool, pairs: list[str]) -> Settings | str:
    change: Table = dict(MEAN) if mean else {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        try:
            change[name] = decode(value.encode())
        except Unreadable:
            change[name] = value
    return changed(Settings(), change)


if __name__ == "__main__":
    sys.exit(main())
