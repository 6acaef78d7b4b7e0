"""What a call can cost at most, and what it did cost."""
