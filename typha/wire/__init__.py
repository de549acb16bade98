"""The language spoken over TCP between a typha server and its subscribers.

Here belongs what both ends must agree on: frames, messages, states, digests, limits and errors, as pure code
(bytes in, messages out; messages in, bytes out). Forbidden here: sockets, clocks, randomness, asyncio, and
any import but the standard library, msgpack and (optionally) zstd: an agent loads this package.
"""
