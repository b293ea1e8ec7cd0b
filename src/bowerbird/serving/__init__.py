"""The HTTP API: six surfaces, events, explanations, health and metrics."""

from bowerbird.serving.app import make_app
from bowerbird.serving.auth import ApiKey, KeyRing, keys_of
from bowerbird.workspace.settings import ServingSettings

__all__ = ["ApiKey", "KeyRing", "ServingSettings", "keys_of", "make_app"]
