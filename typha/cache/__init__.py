"""What the server holds: every topic as a compacted log, already encoded, and the walks over it that readers share.

Here belongs the state between the two sockets, as pure code: time comes in as ``now``, randomness as an
argument, and what a reader needs goes out as bytes. Forbidden here: asyncio, sockets, clocks, any knowledge of
who reads (``downstream``) or of where objects come from (``upstream``, ``convert``).
"""
