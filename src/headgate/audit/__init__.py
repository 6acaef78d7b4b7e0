"""Canonical leaves: one decision as exact bytes."""
