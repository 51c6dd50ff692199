"""The shop as a small pure model, and random commands that must find Tandem agreeing with it."""
