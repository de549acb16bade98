"""Calico's wire against a program that shares no code with ours: a Go agent with the standard library's encoding/gob.

Here belong the agent (``gomodule``: plain Go and golang/snappy), its build and its process (``go_agent``), and tests
that compare what it printed. Forbidden: Calico's own modules, and any reader of ours as the judge of our writer.
"""
