"""`typha demo`: a cluster in memory, a real server process, real agents over TCP, a kill in the middle, and a proof.

Here belongs the play: what runs (`run`), which cluster, topics and agents (`scene`; `plain` and `calico` are the two),
the server as a child process (`server_process`), one agent without typha to compare with (`direct`), the lie that the
proof must find (`sabotage`), the proof itself (`proof`, from `listing`s), what is known of it all (`report`), and how
it looks (`view`). Forbidden: shortcuts that a user's own set-up would not have. The server is started by its command
line, the agents use the public client, and the truth is a LIST over HTTP, projected without the server's converters;
with Calico it is what the converters make of that LIST, because they are proved by their own corpus.
"""
