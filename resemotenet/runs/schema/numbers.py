"""Kinds of numbers and names that files hold, each with its range."""

from typing import Annotated

from pydantic import Field

# What a column of a table, a database or another language can still count.
_MOST = 2**63 - 1

Count = Annotated[int, Field(ge=0, le=_MOST)]
Some = Annotated[int, Field(ge=1, le=_MOST)]
"""A count of at least one."""
Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0)]
Pair = Annotated[list[Share], Field(min_length=2, max_length=2)]
