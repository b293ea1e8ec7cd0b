"""Every step of a build, in an order in which each follows what it reads."""

from __future__ import annotations

from bowerbird.workspace.content_steps import content_steps
from bowerbird.workspace.model_steps import model_steps
from bowerbird.workspace.people_steps import people_steps
from bowerbird.workspace.plan import Step
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.workbench import Workbench


def build_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The whole build: content, then people, then what requests search and score with."""
    return [*content_steps(settings), *people_steps(settings), *model_steps(settings)]
