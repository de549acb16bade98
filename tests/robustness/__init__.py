"""A real server under malformed input, on its port: ``python -m tests.robustness``, ``make fuzz``.

Here belong the inputs (``packing``, ``mutations``, ``inputs``: pure, from a seed), the connections that send them
(``hostile``), the agents that must not notice (``healthy``), the run with its checks (``fuzz``), and a test named
after each fault that was found (``test_scenarios``). Forbidden: a fault that is only printed; a breach is exit 1.
"""
