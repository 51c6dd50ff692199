"""One file per query: its operation, its access rule and its handler.

A query's module docstring is its name and its description in the OpenAPI document.
"""
