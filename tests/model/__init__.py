"""A small pure model of the shop, and random commands after which Tandem must equal it."""
