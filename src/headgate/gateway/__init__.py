"""The data plane: requests in, answers out, and the attempt that owns its settlement."""
