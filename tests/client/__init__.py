"""Tests of ``typha_client``: the pure core in memory against a script, the asyncio shell against its fake server."""
