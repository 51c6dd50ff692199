"""The manifests in deploy/kubernetes and deploy/compose, rendered and held against the code."""
