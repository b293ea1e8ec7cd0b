"""``python -m bowerbird``: the command without its script on the path."""

from __future__ import annotations

from bowerbird.cli import main

if __name__ == "__main__":
    main()
