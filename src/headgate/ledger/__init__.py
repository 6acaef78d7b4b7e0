"""Caps, holds, endings and balances, as decisions without a database."""
