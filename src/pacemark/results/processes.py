"""Readings of the processes that Pacemark started, as a file in the run's directory."""

from collections.abc import Sequence
from dataclasses import astuple, fields
from pathlib import Path

import polars as pl

from pacemark.errors import InputError
from pacemark.results.measurements.model import ProcessReading

PROCESSES_FILE = "processes.parquet"

_SCHEMA = {
    "at_s": pl.Float64,
    "service": pl.String,
    "memory_bytes": pl.Int64,
    "connections": pl.Int64,
    "cpu_s": pl.Float64,
}


def save_readings(path: Path, readings: Sequence[ProcessReading]) -> None:
    """Write them as Parquet (zstd), a column a field."""
    assert list(_SCHEMA) == [field.name for field in fields(ProcessReading)]
    frame = pl.DataFrame([astuple(reading) for reading in readings], schema=_SCHEMA, orient="row")
    frame.write_parquet(path, compression="zstd")


def load_readings(path: Path) -> list[ProcessReading]:
    """Read what ``save_readings`` wrote.

    Raises:
        InputError: the file cannot be read, or is no such file.
    """
    try:
        frame = pl.read_parquet(path).select(pl.col(name).cast(kind) for name, kind in _SCHEMA.items())
    except (pl.exceptions.PolarsError, OSError) as error:
        raise InputError(f"{path} holds no readings: {error!r:.120}", "see the run's directory") from error
    return [ProcessReading(*row) for row in frame.iter_rows()]
