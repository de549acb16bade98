"""The whole line on real processes: kube-apiserver and etcd, `typha serve` as a child, agents of `typha_client`.

Here belongs what can be seen only there: faults of the API server and of etcd, rights, CRDs, servers that are killed
and drained. Forbidden here: reaching into `typha`'s internals (the child is spoken to by its ports, signals and
files), fixed sleeps (every wait is for a condition and has a limit), and any mock.

Run all, one file, one test (the control plane is built at first use, some four minutes, and kept in a cache):

    pytest -m e2e tests/e2e
    pytest tests/e2e/test_two_servers.py
    pytest tests/e2e/test_two_servers.py -k drain -s

What a failed test shows: the difference between an agent's copy and the LIST, each topic's state, and the last lines
of every `typha serve`. Parts: `typha_process` (the child), `truth` (a LIST as a topic should show it), `agents` (a
client with a recorder on its handlers), `house` (all of them together, freed after the test), `conftest` (the fixture
`house`, whose end checks every recorder and every server's log).
"""
