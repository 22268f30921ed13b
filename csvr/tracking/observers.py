"""Sacred observers: files always, and the database that CSVR_OBSERVER names (`csvr.tracking.observer_url`).

The files give a run its id. Whatever goes wrong with the database is a warning, and the run goes on.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import threading
import uuid
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote

from sacred.dependencies import get_digest
from sacred.observers import FileStorageObserver, RunObserver
from sacred.observers.mongo import MongoObserver
from sacred.serializer import flatten

from csvr.files import write_text
from csvr.tracking.observer_url import VARIABLE, reason, setting, shown

log = logging.getLogger(__name__)
FAILED = "observer_failed.txt"  # in the folder of a run that the database has not, or not the whole of: why
FINAL = ("completed_event", "interrupted_event", "failed_event")
SECONDS = 10  # to wait for a database


class Files(FileStorageObserver):
    """Sacred's, asked first, and without its change to what later observers are told of the sources."""

    def __init__(self, runs: Path) -> None:
        super().__init__(runs, priority=100)

    def started_event(self, *_: Any, **about: Any) -> Any:
        return super().started_event(**about | {"ex_info": dict(about["ex_info"])})

    def find_or_save(self, filename: str, store_dir: Path) -> Path:
        """As Sacred's, but a copy that was broken off is never taken for the whole."""
        store_dir.mkdir(parents=True, exist_ok=True)
        source = Path(filename)
        target = store_dir / f"{source.stem}_{get_digest(filename)}{source.suffix}"
        if not target.exists():
            write_text(target, source.read_text())
        return target

    def save_json(self, obj: Any, filename: str) -> None:
        """As Sacred's, but what was there is lost only to what is whole."""
        write_text(Path(str(self.dir), filename), json.dumps(flatten(obj), sort_keys=True, indent=2))

    def completed_event(self, *_: Any, **about: Any) -> None:
        self._last(super().completed_event, **about)

    def interrupted_event(self, *_: Any, **about: Any) -> None:
        self._last(super().interrupted_event, **about)

    def failed_event(self, *_: Any, **about: Any) -> None:
        self._last(super().failed_event, **about)

    def _last(self, event: Callable[..., None], **about: Any) -> None:
        if self.run_entry is None:
            return  # not even begun, which is what the run failed of
        try:
            event(**about)
        except OSError as error:
            log.warning("%s: the record of this run lacks its end: %s", self.dir, error.strerror)


class Database(RunObserver):
    """Passes events on; what fails is kept and tried once more when the run ends.

    Attributes:
        key: Name of the run in the database. It begins with the run's id, but ids of several working copies meet there.
    """

    def __init__(self, url: SplitResult, runs: Path) -> None:
        self.key = ""
        self._url, self._runs = url, runs
        self._mark = Path()
        self._observer: RunObserver | None = None
        self._waiting: list[tuple[str, dict[str, Any]]] = []
        self._failed = False
        # Heartbeats come from a thread of their own.
        self._lock = threading.Lock()

    def started_event(self, *_: Any, **about: Any) -> None:
        number = str(about["_id"])
        self.key, self._mark = f"{number}-{uuid.uuid4().hex[:8]}", self._runs / number / FAILED
        self._send("started_event", **about | {"_id": self.key})

    def heartbeat_event(self, *_: Any, **about: Any) -> None:
        self._send("heartbeat_event", **about)

    def log_metrics(self, metrics_by_name: dict[str, Any], info: dict[str, Any]) -> None:
        if metrics_by_name:
            self._send("log_metrics", metrics_by_name=metrics_by_name, info=info)

    def completed_event(self, *_: Any, **about: Any) -> None:
        self._send("completed_event", **about)

    def interrupted_event(self, *_: Any, **about: Any) -> None:
        self._send("interrupted_event", **about)

    def failed_event(self, *_: Any, **about: Any) -> None:
        self._send("failed_event", **about)

    def _send(self, event: str, **about: Any) -> None:
        with self._lock:
            if event == "heartbeat_event":
                # Each holds all that the last one did.
                self._waiting = [(name, what) for name, what in self._waiting if name != event]
            self._waiting.append((event, about))
            if self._failed and event not in FINAL:
                return
            try:
                self._observer = self._observer or connect(self._url, self._runs)
                while self._waiting:
                    name, what = self._waiting[0]
                    getattr(self._observer, name)(**what)
                    del self._waiting[0]
            except Exception as error:  # of any driver; none is worth the run
                self._warn(reason(self._url, error))
            else:
                if self._failed:
                    self._mark.unlink(missing_ok=True)

    def _warn(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            text = f"{VARIABLE}: {shown(self._url)} does not record this run, {self._mark.parent} does: {why}"
            log.warning("%s", text)
            self._mark.write_text(f"{text}\n")


def database(runs: Path) -> Database | None:
    """The observer that the environment asks for.

    Raises:
        UserError: As `observer_url.setting`.
    """
    url = setting()
    return Database(url, runs) if url else None


def connect(url: SplitResult, runs: Path) -> Sql | Mongo:
    """The observer of a database. A relative SQLite path counts from the folder that has `runs`, not from a job's."""
    if url.scheme.startswith("mongodb"):
        return Mongo(url)
    return Sql(url, runs.resolve().parent)


def unreachable(runs: Path) -> str | None:
    """A warning if there is a database to record runs in, and it does not answer."""
    url = setting()
    if url:
        try:
            runs.mkdir(parents=True, exist_ok=True)  # SQLite's file may be meant to be in it
            connect(url, runs).ping()
        except Exception as error:  # of any driver
            return f"{VARIABLE}: {shown(url)} can't be reached; runs are recorded in {runs} only: {reason(url, error)}"
    return None


def unrecorded(runs: Path, since: float) -> str | None:
    """A warning if the database missed runs since a time (seconds since the epoch)."""
    marks = [path for path in runs.glob(f"*/{FAILED}") if path.stat().st_mtime >= since]
    return f"{len(marks)} run(s) not recorded, e.g. {marks[0].read_text().strip()}" if marks else None


class Sql(RunObserver):
    """Runs in the tables of Sacred's SqlObserver, which can't be used itself.

    It reads the next run id and shared rows (host, experiment, sources) without a lock, keeps results that are numbers
    only, loses heartbeats (they come from another thread than its session's), and its columns are too short for names
    of CPUs, folders and packages, which PostgreSQL does not overlook.
    """

    def __init__(self, url: SplitResult, folder: Path) -> None:
        import sqlalchemy as sa

        if url.scheme == "sqlite":
            address = sa.URL.create("sqlite", database=str(folder / unquote(url.path[1:])))
            arguments: dict[str, Any] = {"timeout": 60}
        else:
            address = sa.make_url(url.geturl()).set(drivername="postgresql+psycopg")
            limit = SECONDS * 2000
            arguments = {
                "connect_timeout": SECONDS,
                "tcp_user_timeout": limit,
                "options": f"-c statement_timeout={limit}",
            }
        self._engine = sa.create_engine(address, poolclass=sa.NullPool, hide_parameters=True, connect_args=arguments)
        if url.scheme == "sqlite":
            # As SQLAlchemy's documentation has it: the driver would begin a transaction only when it writes, too late.
            sa.event.listen(self._engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
            sa.event.listen(self._engine, "begin", lambda found: found.exec_driver_sql("BEGIN IMMEDIATE"))
        self._key = ""
        self._info: dict[str, Any] = {}

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        from sqlalchemy.orm import Session

        with Session(self._engine) as session, session.begin():
            yield session

    def ping(self) -> None:
        with self._engine.connect():
            pass

    def started_event(
        self, ex_info: Any, command: str, host_info: Any, start_time: Any, config: Any, meta_info: Any, _id: str
    ) -> None:
        import sqlalchemy as sa

        self._key, tables = _id, _tables()
        with self._transaction() as session:
            if session.bind.dialect.name == "postgresql":
                # One job at a time until the transaction ends (SQLite has that anyway), as nothing else keeps two from
                # making the tables or a shared row.
                session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('csvr.tracking.observers'))"))
            tables.Base.metadata.create_all(session.connection())
            if session.query(tables.Run).filter_by(run_id=_id).first():
                return  # tried before; only the answer was lost
            session.add(
                tables.Run(
                    run_id=_id,
                    config=_json(config),
                    command=command,
                    priority=meta_info.get("priority", 0),
                    comment=meta_info.get("comment", ""),
                    experiment=tables.Experiment.get_or_create(ex_info, session),
                    host=tables.Host.get_or_create(host_info, session),
                    status="RUNNING",
                    start_time=start_time,
                )
            )

    def heartbeat_event(self, info: dict[str, Any], captured_out: str, beat_time: Any, result: Any) -> None:
        self._info = info
        self._update(heartbeat=beat_time, captured_out=_text(captured_out), **self._result(result))

    def completed_event(self, stop_time: Any, result: Any) -> None:
        self._update(stop_time=stop_time, status="COMPLETED", **self._result(result))

    def interrupted_event(self, interrupt_time: Any, status: str) -> None:
        self._update(stop_time=interrupt_time, status=status)

    def failed_event(self, fail_time: Any, fail_trace: list[str]) -> None:
        self._update(stop_time=fail_time, status="FAILED", fail_trace=_text("\n".join(fail_trace)))

    def _result(self, result: Any) -> dict[str, Any]:
        """The column is for a number; any other result is in `info`."""
        if result is None or isinstance(result, int | float):
            return {"result": result, "info": _json(self._info)}
        return {"info": _json(dict(self._info) | {"result": result})}

    def _update(self, **values: Any) -> None:
        with self._transaction() as session:
            session.query(_tables().Run).filter_by(run_id=self._key).update(values)


class Mongo(MongoObserver):
    """Sacred's, but errors are raised (it retries for long, then pickles), and a source is stored once."""

    def __init__(self, url: SplitResult) -> None:
        limits = {"serverSelectionTimeoutMS": 1, "connectTimeoutMS": 1, "socketTimeoutMS": 2}
        # An option of the URL comes first.
        found: dict[str, Any] = {
            name: times * SECONDS * 1000 for name, times in limits.items() if name not in url.query
        }
        super().__init__(url.geturl(), db_name=unquote(url.path.strip("/")) or "sacred", **found)

    def ping(self) -> None:
        self._client.admin.command("ping")

    def insert(self) -> None:
        self.save()

    def save(self) -> None:
        entry: Any = self.run_entry
        self.runs.update_one({"_id": entry["_id"]}, {"$set": entry}, upsert=True)

    def final_save(self, attempts: int) -> None:
        self.save()

    def save_sources(self, ex_info: dict[str, Any]) -> list[list[Any]]:
        found = []
        for name, md5 in ex_info["sources"]:
            path = os.path.join(ex_info["base_dir"], name)
            # GridFS no longer has an md5 of its own, by which Sacred looks for the file.
            file = self.fs.find_one({"filename": path, "metadata.md5": md5})
            stored = file._id if file else self.fs.put(Path(path).read_bytes(), filename=path, metadata={"md5": md5})
            found.append([name, stored])
        return found


@functools.cache
def _tables() -> Any:
    """Sacred's tables, with no limit on the length of texts."""
    import sqlalchemy as sa

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Sacred asks for the declarative base where SQLAlchemy 1 had it
        from sacred.observers import sql_bases
    for table in sql_bases.Base.metadata.tables.values():
        for column in table.columns:
            if isinstance(column.type, sa.String) and not isinstance(column.type, sa.Enum):
                column.type.length = None
    return sql_bases


def _json(value: Any) -> str:
    return json.dumps(flatten(value))


def _text(value: str) -> str:
    """What PostgreSQL takes: no NUL, no half of a character."""
    return value.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
