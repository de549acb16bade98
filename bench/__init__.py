"""Benches: each answers one question about real processes, with the goal beside the figure.

Here belong the questions (one module each, listed in ``questions``), the processes that they measure
(``processes``), the load (``agents``: a child of its own), and how figures look (``report``). Forbidden: timed
assertions in tests, and figures without the machine, the versions and the commit that they are of.

    load         how long from the start of the process to ready with 100,000 pods, and how large is it then?
    watch_path   how many watch events does a core take in a second?
    convert      what does the conversion of one object cost, of each kind?
    felix        what do 100,000 pods cost in the feed `felix`: list, memory (entries plain, compressed), events?
    deltas       how many bytes is a change of a workload endpoint, plain, with zstd, with a dictionary?
    fan_out      do 1,000 agents keep up with 1,000 changes a second, how late are they, what does a delivery cost?
    deliveries   what does a delivery cost, by agents, changes a second and pacing, beside NATS and Calico's Typha?
    calico       what do Calico's own agents cost beside native ones: joins of 10,000 pods, memory of each?
    send_share   how near is a send of the server to one of a C loop that does nothing else?
    growth       what do another agent, another change and another object cost?
    idle         how much memory does a connection cost that does nothing?
    sleeper      what do the others notice of an agent that stops reading for a minute?
    restart      what does a restart cost, with the topics in files and without?
    resume       the only server restarts: what is sent to each of 2,000 agents, and when are they in sync again?
    join         5,000 agents join at once for 100 MB of values: when are they in sync, and who else feels it?
    apiserver    what do 500 agents cost a real kube-apiserver: through one typha, and with a watch each?
    verify       does every agent hold what the server holds at each Bookmark, under fan-out and joins?
    client       how many changes a second does an agent take, and how long does its join of 10,000 pods last?
    soak         does the server's memory grow with changes, and with agents that come, fall behind and go?

What works with the results:

    load_agents  what do N agents get from a server that runs already (--server HOST:PORT, plain TCP)?
    goals        which goals do the stored results meet?
    plots        what do the stored results look like?
    report       docs/benchmarks.md, docs/scaling.md and the pictures from the stored results: what do they say now?
    profile      where does the server's CPU go, in the fan-out and in the first list?

``python -m bench`` runs all, ``python -m bench NAME [--quick]`` one. A latency begins before the write to the
simulated API server is sent and ends when the agent's process has read the bytes: the time that the simulation takes
is in it. CPU and memory are of the server's process alone.
"""
