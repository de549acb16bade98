"""Tests of ``typha.calico_wire``, one module each, recorded sessions of real Typha, and the fuzzer of its readers.

``captures/``: ``felix.N.c2s`` is what a real agent sent, ``felix.N.s2c`` what real Typha sent (1: feed bgp, plain; 2:
felix, plain, with deltas and a ping; 3: felix, snappy, with two decoder restarts); ``kvs.json`` is what the server of
session 2 held (feed -> [key, value, revision, v3 resource version]); ``expected.N.jsonl`` one line a message.
"""
