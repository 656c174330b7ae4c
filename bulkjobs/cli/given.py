"""The values of shared options → what the library takes. Imports a room when a command needs it, not before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from bulkjobs.cli.options import COMPARE, parse_variables
from bulkjobs.dataflow.contract import Api, Contract
from bulkjobs.inventory.limits import Limits

if TYPE_CHECKING:
    from bulkjobs.graph.comparison import Comparison
    from bulkjobs.graph.expand import Expander
    from bulkjobs.graph.layout import Layout
    from bulkjobs.library import Target

Given = Mapping[str, Any]
"""A command's options by parameter name, as click made them."""


def contract_of(given: Given) -> Contract:
    """Raises UsageError for options that the contract does not have."""
    return Contract(
        Api(given["api"]),
        given["job_type"],
        given["num_worker"],
        given["timeout_minutes"],
        given["max_concurrent_runs"],
    )


def target_of(given: Given) -> Target:
    """Raises UsageError as ``contract_of`` does."""
    from bulkjobs.library import Target  # noqa: PLC0415  # aiohttp

    return Target(
        given["endpoint"],
        given["account"],
        contract_of(given),
        given["sandbox"],
        given["profile"],
        given["credentials_file"],
    )


def limits_of(given: Given) -> Limits:
    return Limits(given["max_rows"], given["max_cell_bytes"], given["max_unpacked_bytes"])


def layout_of(given: Given) -> Layout:
    """Raises UsageError for a layout, or a variable, that cannot be used."""
    from bulkjobs.graph.layout import load_layout  # noqa: PLC0415  # not for --help

    return load_layout(given["layout"], parse_variables(given["variables"]))


def expander_of(given: Given) -> Expander:
    """Raises UsageError as ``layout_of`` does."""
    from bulkjobs.graph.expand import Expander  # noqa: PLC0415  # not for --help

    return Expander(layout_of(given))


def comparison_of(ctx: click.Context | None = None) -> Comparison:
    """The rules of comparison in force for the command that runs: the built-in ones, and those of ``--config``."""
    from bulkjobs.graph.comparison import BUILT_IN, Comparison  # noqa: PLC0415  # not for --help

    rules = (ctx or click.get_current_context()).meta.get(COMPARE, ())
    return Comparison(rules) if rules else BUILT_IN
