"""May this caller make this request? Keys, scopes, models, tags."""
