"""pandas at both ends."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import bulkjobs


def test_a_frame_is_submitted_and_its_report_comes_back_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import asyncio

    monkeypatch.chdir(tmp_path)
    frame = pd.DataFrame(
        {
            "name": ["seoul", "busan"],
            "bucket": "shop-raw",
            "prefix": ["seoul/2026", "busan/2026"],
            "fields": "id:bigint, code:string",
            "filter": ["code == 007", None],
            "target_bucket": "shop-clean",
            "target_prefix": ["seoul", "busan"],
            "big": [2**53 + 1, 7],
            "note": ["NA", float("nan")],
        }
    )
    inventory = bulkjobs.rows_from_frame(frame, name="shops")
    submitted = asyncio.run(bulkjobs.submit([inventory], bulkjobs.Target(sandbox=True)))
    assert submitted.result.exit_code is bulkjobs.ExitCode.OK
    results = bulkjobs.results_frame(submitted.folder)
    assert results["outcome"].tolist() == ["created", "created"]
    assert results["filter"].tolist() == ["code == 007", ""]
    assert results["big"].tolist() == ["9007199254740993", "7"]
    assert results["note"].tolist() == ["NA", ""]
    assert results["finished_at"].dt.tz is not None
    assert results["attempts"].sum() == 2


def test_a_report_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(bulkjobs.StateError, match="cannot be read: there is none") as raised:
        bulkjobs.results_frame(tmp_path)
    assert raised.value.hint == "write it again: bulkjobs report RUN"
