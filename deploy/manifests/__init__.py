"""Renders the manifests in deploy/kubernetes, and compares them and compose with the code."""
