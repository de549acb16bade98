"""Calico's data model: Kubernetes and Calico objects to the keys and values that Calico's agents consume.

One file a kind; what several kinds share has a file named after it (`selector`, `rules`, `metadata`, `cidr`, ...).
Keys are Calico's default v1 and v3 paths; values carry Calico's field names, and as JSON they are what Calico's own
encoder writes, field order aside. Everything here is pure: no I/O, no clock, no state between objects.
"""
