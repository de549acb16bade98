"""typha: one set of watches on a Kubernetes API server, streamed to thousands of node agents.

The path of data, drawn once. Every arrow is a plain call but the two outer ones, which are sockets::

    API server -> upstream/ -> cache/ -> downstream/ -> TCP -> typha_client -> the agent's handlers
                      |
                  convert/ (pure: one Kubernetes object -> entries)      wire/ = the language spoken over TCP

``app`` builds the parts and joins them, ``feeds`` says which topics exist, ``config`` what the operator
asked for, ``observe`` reads the parts' ``statistics()``, ``simulation`` is an API server in memory.

This module imports nothing, so that an agent that needs ``typha.wire`` loads ``typha.wire`` and no more.
"""
