"""`typha` and `python -m typha`."""

from typha.cli.main import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
