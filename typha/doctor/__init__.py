"""`typha doctor`: what stands between this configuration and a server that works, found before it starts, or beside it.

Place: beside the data path. `examination` goes through the parts in the order in which `serve` needs them: the
configuration (by the caller), ports (`local`), TLS files (`tls`), the API server (`api_server`, `rights`), memory.

Here belongs what looks and says; what it uses is the server's own: its loader, its session, its discovery and its
converters, so that both see the same. Forbidden: writing anything, here or at the API server (reviews are not stored).
"""
