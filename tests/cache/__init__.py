"""Unit tests of typha/cache, module by module."""
