"""What the operator wrote in headgate.toml: read once, checked whole, and handed on as values."""
