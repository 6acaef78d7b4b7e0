"""The values that the dry rooms hand each other: callers, budgets, tariffs, bounds, holds, endings."""
