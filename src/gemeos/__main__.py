"""``python -m gemeos``: the same as ``gemeos``."""

from gemeos.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
