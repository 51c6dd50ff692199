"""The code on the pages of `docs/` is run here, as it stands there."""
