"""The workspace: one directory, one build, six answers. The facade of the Python API and the commands."""

from bowerbird.workspace.facade import Workspace

__all__ = ["Workspace"]
