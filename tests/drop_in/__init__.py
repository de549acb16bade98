"""What an operator who swaps Typha's image for ours is promised: parameters, probes, metrics, TLS, manifests.

Here belong tests of `typha.drop_in` alone; the agents' wire is tested in `calico_wire`, `downstream` and `interop`.
"""
