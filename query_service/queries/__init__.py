"""One file for each query: how it is asked, who may ask, what answers."""
