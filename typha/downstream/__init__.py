"""Subscribers: who they are, what they hold, and how each change reaches thousands of sockets.

Here belong the rules of a subscription and of a session (pure), the rounds of the fan-out (pure: a generator
that yields when its time is up), and the thin asyncio shell around them (``connection``, ``server``). Forbidden
here: knowledge of Kubernetes objects, of watches, and of metrics; a queue or a task per subscriber.
"""
