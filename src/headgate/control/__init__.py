"""The control plane: keys, budgets, prices and freezes, each change with its actor and its leaf."""
