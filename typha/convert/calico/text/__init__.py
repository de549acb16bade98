"""Texts as Calico, Kubernetes and Go write them: selectors, CIDRs, ports, durations, quantities, times, UIDs.

Here belongs what reads one piece of text and writes its canonical form, and knows no object. Forbidden here: structs of
the API server, keys, values.
"""
