"""Tests of ``typha.wire``, one module each, and the golden vectors (golden.json) for authors in other languages."""
