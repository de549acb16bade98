"""How the process is seen from outside: logs, metrics, probes, the status page; on a thread of its own.

Here belongs the picture that is shown (`status`), its renderings (`metrics`, `pages`), the small HTTP server that
serves them (`http`) and the log's format (`log`). Forbidden: any import of a stage (the application copies their
``statistics()`` into a `Status`), any lock that the loop's thread could wait for, labels that name a client, secrets
and object bodies.
"""
