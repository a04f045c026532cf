"""What files of a run have in common that the trainer fills in as it goes."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A part of such a file. What an older version did not note is None; what a later one adds is kept, and unread."""

    model_config = ConfigDict(
        strict=True, extra="allow", allow_inf_nan=False, validate_by_name=True, validate_by_alias=True
    )

    def to_dict(self) -> dict[str, Any]:
        """The content of the file: what was noted, and nothing else."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)
