"""The query service on a real Valkey, with views that the projector's own code has folded."""
