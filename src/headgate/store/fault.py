"""What is raised when the book cannot be opened or used; light, so that whoever only has to tell it need not load the store."""

from __future__ import annotations


class StoreError(Exception):
    """The book cannot be opened or used; the message says what to do next."""
