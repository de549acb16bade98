"""What `deploy/` promises: every way to deploy renders, is valid, fits the configuration in it, and a real API server.

Here belong tests of files that operators apply, `generated` (those that follow from others), and
`python -m tests.deploy`, which checks all and prints a table.
"""
