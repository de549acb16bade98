"""Converters: one Kubernetes object in, the entries of one topic out.

Here belongs what decides how an object looks to agents, as pure code: JSON bytes in; keys, msgpack bytes and filter
attributes out. Forbidden here: I/O, clocks, randomness, state that outlives one object, and any import of another part
of typha. `feeds` chooses converters, `upstream` calls them, nobody else may.
"""
