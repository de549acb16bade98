"""Calico as it looks when it is installed in the simulated cluster: kinds, objects, addresses, and their changes.

Here belong the kinds that the API server then serves (`resources`), what objects of them look like (`policies`,
`hosts`, `routing`, `documents`: pure functions), who holds which address (`ipam`), and the installation that writes
all of it and keeps changing it (`installation`); `cluster` calls it. Forbidden: any import of typha's converters, and
an object that Calico's own validation would refuse, because what is proved with this cluster must be ordinary.
"""
