"""The house: health, metrics and the read-only admin API, in a process of its own."""
