"""Every step of a build, in an order in which each follows what it reads."""

from __future__ import annotations

from bowerbird.workspace.attribute_steps import attribute_steps
from bowerbird.workspace.audience_steps import audience_steps
from bowerbird.workspace.content_steps import encoding_steps
from bowerbird.workspace.graph_steps import graph_steps
from bowerbird.workspace.interest_steps import interest_steps
from bowerbird.workspace.long_term_steps import long_term_steps
from bowerbird.workspace.looks_steps import looks_steps
from bowerbird.workspace.model_steps import model_steps
from bowerbird.workspace.people_steps import people_steps
from bowerbird.workspace.picture_steps import picture_steps
from bowerbird.workspace.plan import Step
from bowerbird.workspace.quality_steps import quality_steps, text_steps
from bowerbird.workspace.safety_steps import safety_steps
from bowerbird.workspace.sequence_steps import sequence_steps
from bowerbird.workspace.settings import WorkspaceSettings
from bowerbird.workspace.space_steps import space_steps
from bowerbird.workspace.tuning_steps import tuning_steps
from bowerbird.workspace.workbench import Workbench


def step_groups(settings: WorkspaceSettings) -> dict[str, list[Step[Workbench]]]:
    """The steps by what they are about; ``bowerbird build GROUP`` builds one group and what it reads."""
    return {
        "content": [
            *encoding_steps(settings),
            *text_steps(settings),
            *tuning_steps(settings),
            *picture_steps(settings),
            *space_steps(settings),
            *interest_steps(settings),
            *attribute_steps(settings),
            *looks_steps(settings),
            *quality_steps(settings),
            *safety_steps(settings),
        ],
        "users": [*people_steps(settings), *long_term_steps(settings), *audience_steps(settings)],
        "models": [*graph_steps(settings), *sequence_steps(settings), *model_steps(settings)],
    }


def build_steps(settings: WorkspaceSettings) -> list[Step[Workbench]]:
    """The whole build: content, then people, then what requests search and score with."""
    return [step for steps in step_groups(settings).values() for step in steps]
