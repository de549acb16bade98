"""What one server knows of the others, and how it keeps its share: found by EndpointSlices or DNS, asked for their load
over the agents' own port, and agents moved by GoAway.

Here belongs: who the others are (finding), what they answer (asking), what follows (balance, peers: pure), and the task
that does it (neighbours). Forbidden: to elect, to lock, to store. Kubernetes places, counts and replaces servers; each
server decides alone, from loads that it was told, and any number of them may be wrong or gone.
"""
