"""The book on disk: SQL, one writer, lock, load, decide, append."""
