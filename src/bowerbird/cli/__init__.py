"""The command line. Importing it, and ``--help``, loads nothing heavy."""

from __future__ import annotations

import sys


def main() -> None:
    """Entry point of the ``bowerbird`` command: exit code 0, 1 (failed) or 2 (bad usage)."""
    from bowerbird.cli.app import app  # keeps `import bowerbird.cli` free of typer
    from bowerbird.errors import BowerbirdError

    try:
        app()
    except BowerbirdError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Stopped. The workspace is whole; run the same command again to carry on.", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:
        sys.exit(0)
