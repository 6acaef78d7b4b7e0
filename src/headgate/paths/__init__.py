"""The ways to a model: where a request is sent, how it is signed, who bills it, what proves it."""
