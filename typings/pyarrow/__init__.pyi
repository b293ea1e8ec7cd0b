# pyarrow ships no types: its names come from compiled code. Any is the honest answer.
from typing import Any

def __getattr__(name: str) -> Any: ...
