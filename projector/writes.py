"""What a batch changes in a shard: absolute values and memberships, all or nothing."""

from dataclasses import dataclass, field

from shared.contracts.views import Checkpoint


@dataclass(slots=True)
class WriteBatch:
    """Written in one step with the checkpoint, or not at all. Doing it twice changes nothing."""

    checkpoint: Checkpoint
    values: dict[str, bytes | None] = field(default_factory=dict)
    """Key -> value, None to delete it."""
    added: dict[str, list[str]] = field(default_factory=dict)
    """Sorted set -> ids to add, with score 0."""
    removed: dict[str, list[str]] = field(default_factory=dict)
    """Sorted set -> ids to remove."""
