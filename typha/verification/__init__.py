"""`typha verify`: does a server that runs hold what the API server has?

`comparison` decides (pure), `listing` reads the API server; the command brings an agent's copy of the server's topics.

Road not taken: asking the server itself; what it would compare with is what it has. So an agent's copy is compared with
a consistent LIST, made into entries by the server's own converters here.
"""
