"""The outside of Calico's Typha, for whoever swaps its image for ours: same parameters, probes, metrics, commands.

Here belongs what only the drop-in needs: Typha's parameters and their rules (`kinds`, `parameters`, `ini`, `load`,
`datastore`), what they mean here (`settings`, `mapping`, `document`), its TLS identity rule (`tls`), its ports
(`health`, `statistics`, `summary`, `metrics`, `https`, `addresses`, `ports`), its rebalancing and drain
(`rebalancing`, `typhas`), the writes that it makes at the start where they are asked for (`ensure_initialized`), all of
these as one part of the application (`outside`), and its command line (`command`). Forbidden: the wire (that is
`calico_wire` and `downstream`), any import of this folder by a stage (`app` and `cli` alone use it), and names or
defaults of Typha's in the rest of the project.
"""
