"""How the process is seen from outside: logs, metrics, probes, the status page; on a thread of its own.

Here belongs the picture that is shown (`status`), its past (`history`), its renderings (`metrics`, `pages`, `answers`
and the browser's side in ``page/``), the small HTTP server that serves them (`ports`, `http`) and the log's format
(`log`). Only what fills the picture (`picture`, `quarantines`) or asks the loop (`inquiries`, `search`, `queries`)
imports a stage, and only to read it. Forbidden: any lock that the loop's thread could wait for, labels that name a
client, secrets, and object bodies but in answer to who asks for one.
"""
