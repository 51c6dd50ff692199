"""The HTTP side that queries share: parameters, cursors and responses."""
