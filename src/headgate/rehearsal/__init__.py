"""The outside world over real HTTP, with a meter of its own; it imports nothing of the house."""
