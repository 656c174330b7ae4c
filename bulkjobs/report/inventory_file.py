"""An inventory written row by row: CSV or Parquet, every cell a text, exactly as it is.

Nothing is guarded against spreadsheets: an inventory that was changed to be safe there would make other jobs.
"""

from __future__ import annotations

import contextlib
import csv
import io
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import pyarrow as pa
import pyarrow.parquet as pq

from bulkjobs.errors import StateError, UsageError
from bulkjobs.plain import plain

_PARQUET = (".parquet", ".pq", ".parq")
_CSV = (".csv",)


class InventorySink(Protocol):
    """Takes rows of ``columns`` in order."""

    def write(self, rows: Sequence[Sequence[str]]) -> None: ...


class CsvText:
    """CSV in UTF-8 for ``write``, the header first."""

    def __init__(self, columns: Sequence[str], write: Callable[[str], None]) -> None:
        self._write = write
        self.write([columns])

    def write(self, rows: Sequence[Sequence[str]]) -> None:
        lines = io.StringIO()
        csv.writer(lines, lineterminator="\n").writerows(rows)
        self._write(lines.getvalue())


class InventoryOut:
    """A context manager over a new file, CSV or Parquet by its suffix. It appears, whole, when the block ends well.

    Only its owner can read it. Raises UsageError for another suffix, and, unless ``replace``, for a file that is
    there; StateError when the disk refuses.
    """

    def __init__(self, path: Path, columns: Sequence[str], *, replace: bool = False) -> None:
        self._path = path
        self._columns = columns
        self._replace = replace
        self._hidden = path.with_name(f".{path.name}.partial")
        suffix = path.suffix.lower()
        if suffix not in (*_PARQUET, *_CSV):
            raise UsageError(
                f"--out {plain(str(path))}: CSV or Parquet is told by the suffix", "call it NAME.csv or NAME.parquet"
            )
        self._is_parquet = suffix in _PARQUET
        if os.path.lexists(path) and not replace:
            raise UsageError(f"--out {plain(str(path))}: the file exists", "choose another name, or add --force")

    def __enter__(self) -> Self:
        with self._errors():
            self._hidden.unlink(missing_ok=True)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            self._file = os.fdopen(os.open(self._hidden, flags, 0o600), "wb")
            self._sink: InventorySink
            if self._is_parquet:
                self._sink = self._parquet = _Parquet(self._columns, self._file)
            else:
                self._sink = CsvText(self._columns, lambda text: self._put(text.encode()))
        return self

    def write(self, rows: Sequence[Sequence[str]]) -> None:
        with self._errors():
            self._sink.write(rows)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            if kind is None:
                with self._errors():
                    self._finish()
        finally:
            if kind is not None and self._is_parquet:
                with contextlib.suppress(OSError):
                    self._parquet.close()  # or it would complete its file when it is collected, and fail loudly
            with contextlib.suppress(OSError):
                self._file.close()
            self._hidden.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self._is_parquet:
            self._parquet.close()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if self._replace:
            os.replace(self._hidden, self._path)
        else:
            os.link(self._hidden, self._path)  # fails if somebody else made the file meanwhile

    def _put(self, data: bytes) -> None:
        self._file.write(data)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StateError(
                f"--out {plain(str(self._path))}: cannot be written: {error.strerror or plain(str(error))}",
                "free the disk, mend the permissions or choose another place; nothing was left there",
            ) from None


class _Parquet:
    def __init__(self, columns: Sequence[str], file: io.BufferedWriter) -> None:
        self._schema = pa.schema([(name, pa.string()) for name in columns])
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd")

    def write(self, rows: Sequence[Sequence[str]]) -> None:
        if rows:
            arrays = [pa.array(column, pa.string()) for column in zip(*rows, strict=True)]
            self._writer.write_batch(pa.RecordBatch.from_arrays(arrays, schema=self._schema))

    def close(self) -> None:
        self._writer.close()
