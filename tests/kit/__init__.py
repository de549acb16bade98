"""Both ends in memory: a naive API server, the server's cache and fan-out, the client's session, no socket.

Everything that the promises speak of runs here for real; only the two sockets and the clock are the test's.
"""
