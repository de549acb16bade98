"""Warm start: the topics in files, so that a server that starts serves at once what the last one knew.

`codec` turns kept topics (`typha.cache.keeping`) into records and back (pure), `folder` has the files, `keeper` decides
when they are written and what of them may be used. Forbidden: anything that makes a topic complete; the API server
alone confirms (`typha.upstream.warmth`).
"""
