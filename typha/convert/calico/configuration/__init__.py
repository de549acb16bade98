"""FelixConfiguration and ClusterInformation as configuration keys: the table of fields, and how each kind is read.

Here belongs what both kinds share (the converters themselves are one folder up). Forbidden here: other kinds.
"""
