"""One file for each topic's view: how its events change a document, and what follows from that."""
