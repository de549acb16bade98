"""Unit tests of typha/downstream, module by module; the histories behind the rules are in tests/promises."""
