"""The minimal client in Node, run as its readers would run it: against a real `typha serve` process.

Here belongs what proves that docs/protocol.md suffices to write a client in another language. Forbidden here: any
import of `typha_client`; what the Node client prints is compared with `typha dump` and with the simulated API server.
"""
