"""The checker that wraps every function of the package while testing (``--jaxtyping-packages``)."""

from __future__ import annotations

from beartype import BeartypeConf, beartype

# as type checkers have it (PEP 484): where a float is asked for, an int is welcome
checked = beartype(conf=BeartypeConf(is_pep484_tower=True))
