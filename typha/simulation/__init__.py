"""A Kubernetes API server in memory, with a cluster that lives, for `typha demo`, tests and benches.

Here belongs what stands in for the world outside: objects and their history (`table`, `store`, `selectors`), the
API's language (`status`, `requests`, `discovery`), its HTTP side (`api_server`, `watches`), a script of faults
(`faults`), the cluster that changes by itself (`pods`, `population`, `objects`, `cluster`, and `calico` where it is
installed) and the way to run it (`serve`, `python -m typha.simulation`). It speaks HTTP on loopback, so that upstream
code runs against it unchanged.
Forbidden: any import of another part of typha (what is tested must not help to test itself), wall-clock time or
unseeded randomness in what it serves, and any rule that a real API server does not have, except where `faults`
says so aloud.
"""
