"""What the data folder holds, by name."""

from __future__ import annotations

LEDGER_FILE = "headgate.db"
SOCKET_FILE = "gate.sock"
