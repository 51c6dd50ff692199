"""The query service on a real Valkey, its views made by the projector's own folds."""
