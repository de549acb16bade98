"""Calico's own language, as unmodified Calico agents speak it over TCP: gob, eight messages, snappy framing.

Here belongs what turns the bytes of that wire into typed messages and typed messages into bytes: pure code, server
only, whose one import beside the standard library is ``cramjam`` (snappy). Forbidden here: sockets, clocks, asyncio,
any other part of typha, and rules of the handshake, which are a session's.

Bytes from an agent   ``reader.agent_messages`` -> ``messages``
Bytes to an agent     ``writer`` (each KV encoded once, joined into messages) -> ``snappy`` where negotiated
The other side        ``agent`` (what an agent writes and reads: for tests, benches and tools)
"""
