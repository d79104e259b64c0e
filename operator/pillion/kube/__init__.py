"""The few Kubernetes calls in use: reading, applying and patching objects, events, and leader election.

Objects are plain mappings. Nothing here knows what a model is.
"""
