"""Mutation testing of `typha.convert.calico`: does the corpus notice when a converter is wrong?

Here belongs the driver of mutmut and `survivors.txt` (mutants that live, each with its reason). Forbidden here: tests.

    python -m tests.mutants                     # all modules: an hour on one core
    python -m tests.mutants tier text/selector  # some
"""
