"""What people say to their own interests: not this, or this again."""

from __future__ import annotations

from bowerbird.errors import InputError, did_you_mean
from bowerbird.pipeline.release import Release
from bowerbird.stores.preferences import Preferences, Refusal, RefusalKind


def refused(
    release: Release,
    preferences: Preferences,
    user_id: str,
    interest: str,
    wish: RefusalKind | None,
    at: int,
) -> tuple[Refusal, ...]:
    """Mute or delete an interest, or allow it again when ``wish`` is None; what the person refuses from now on.

    Raises:
        NotFoundError: nobody has that id.
        InputError: no item is under the interest.
        StorageError: the disk refused.
    """
    release.people.row(user_id)
    if wish is None:
        preferences.allow(user_id, interest)
        return preferences.of(user_id)
    if not release.under(interest).any():
        paths = release.category_paths
        near = did_you_mean(interest, paths) if paths else "no item has a category"
        raise InputError(f"interest {interest!r}: no item is under it; {near[:200]}")
    preferences.refuse(user_id, interest, wish, at)
    return preferences.of(user_id)
