"""Headgate: the gate between a company's teams and OpenAI models; a ledger with a wire attached."""

__version__ = "0.1.0"
