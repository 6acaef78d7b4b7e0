"""`headgate`, and `python -m headgate`: the way in for people."""

from __future__ import annotations

from headgate.cli.main import cli


def main() -> None:
    cli(prog_name="headgate")


if __name__ == "__main__":
    main()
