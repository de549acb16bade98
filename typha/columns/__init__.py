"""Which columns show the entries of a topic: those that kubectl and calicoctl have taught people to look for.

Here belongs what makes rows of keys and decoded values, for every place that shows them (`typha get`, the status page).
Pure. Forbidden: every other part of typha, a way of printing.
"""
