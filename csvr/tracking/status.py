"""What has become of a recorded run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


def status(run: dict[str, Any]) -> str:
    """The recorded status; DIED where a run that should still be going on has given no sign for a minute.

    A killed process can't record its end. Sacred's heartbeat comes every ten seconds.
    """
    status = str(run.get("status", "unknown"))
    beat = run.get("heartbeat") or run.get("start_time")
    if status != "RUNNING" or not beat:
        return status
    # Sacred's times are in UTC without saying so.
    silent = datetime.now(UTC) - datetime.fromisoformat(beat).replace(tzinfo=UTC)
    return "DIED" if silent.total_seconds() > 60 else status
