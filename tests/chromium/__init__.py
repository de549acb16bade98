"""A real Chromium for the tests of the status page: found on the machine, or installed where that needs nobody.

Forbidden: a browser's own download, and skipping a test where there is none.
"""
