"""What `deploy/` promises: manifests that fit each other, the configuration in them, and a real API server.

Here belong tests of files that operators apply; nothing here is imported by other tests.
"""
