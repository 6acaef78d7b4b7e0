"""What OpenAI clients and providers say to each other, as values: routes, requests, streams, usage, errors."""
