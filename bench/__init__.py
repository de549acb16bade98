"""Benches: each answers one question about real processes, with the goal beside the figure.

Here belong the questions (one module each, listed in ``questions``), the processes that they measure
(``processes``), the load (``agents``: a child of its own), and how figures look (``report``). Forbidden: timed
assertions in tests, and figures without the machine, the versions and the commit that they are of.

    load         how long from the start of the process to ready with 100,000 pods, and how large is it then?
    watch_path   how many watch events does a core take in a second?
    convert      what does the conversion of one object cost, of each kind?
    felix        what does the feed `felix` of 100,000 pods cost: time to ready, memory, watch events per core-second?
    fan_out      do 1,000 agents keep up with 1,000 changes a second, how late are they, what does a delivery cost?
    calico       what do Calico's own agents cost beside native ones: deliveries, joins of 10,000 pods, memory of each?
    idle         how much memory does a connection cost that does nothing?
    sleeper      what do the others notice of an agent that stops reading for a minute?
    resume       what is sent to an agent that comes back to a restarted server?
    join         how long until N agents that come at once are in sync, and what do they cost meanwhile?
    soak         does the server's memory grow with changes, and with agents that come, fall behind and go?

``python -m bench`` runs all, ``python -m bench NAME [--quick]`` one. A latency begins before the write to the
simulated API server is sent and ends when the agent's process has read the bytes: the time that the simulation takes
is in it. CPU and memory are of the server's process alone.
"""
