"""The files that ``bulkjobs init`` writes: an inventory, the built-in layout with comments, and a README.

CSV knows no comments, so what there is to say of the inventory stands in the README and in the layout.
"""

from __future__ import annotations

from pathlib import Path

from bulkjobs.errors import StateError, UsageError
from bulkjobs.graph.layout import builtin_text

INVENTORY = """\
name,bucket,prefix,fields,filter,data_type,target_bucket,target_prefix,update_type,owner
orders_kr,shop-raw,orders/2026,"id:bigint, country:string, amount:double","country == KR AND amount >= 100",CSV,\
shop-clean,orders/kr,OVERWRITE,sales
orders_all,shop-raw,orders/2026,"id:bigint, country:string, amount:double",,CSV,\
shop-clean,orders/all,APPEND,sales
,shop-raw,events/2026/11,"at:timestamp, user:string, kind:string",kind != bot,JSON,\
shop-clean,events/2026/11,,web
"""

README = """\
What is here
============

inventory.csv   one row is one job. Edit it in a spreadsheet, and save it as "CSV UTF-8 (comma delimited)".
layout.toml     what a row becomes: the nodes of its job. As it is here it says what happens without it, too.

The columns of inventory.csv
----------------------------

name            the job's name, unique in the account. Empty (third row): made from bucket and prefix.
bucket, prefix  where the data is read: a bucket on Object Storage, and a folder in it without a leading slash.
fields          the columns of the data: name:type, name:type, ...
filter          which rows of the data to keep. Empty (second row): all of them.
data_type       the format of the data.
target_bucket, target_prefix
                where the data is written.
update_type     what to do with data that is there already. Empty: the service decides.
owner           a column of your own: it is carried into the report untouched.

`bulkjobs columns` prints every column with its default, what it accepts, and an example.

What to do next
---------------

  bulkjobs validate inventory.csv                  every problem at once; nothing is sent
  bulkjobs expand inventory.csv --row orders_kr    the request that would be sent, and a picture of the graph
  bulkjobs submit inventory.csv --sandbox          a rehearsal, without an account
  bulkjobs submit inventory.csv                    creates the jobs; running it again creates nothing twice

With a layout that you changed, add `--layout layout.toml` to each of them.
"""

_HEAD = """\
# What a row of the inventory becomes. Give it to a command with --layout layout.toml
#
# ${column} stands for the row's cell in that column: a new name in here is a new column of the inventory.
# $$ is a dollar sign. A name that is listed under [variables] is the same for all rows, and can be set with
# --set NAME=VALUE; so one inventory serves several environments:
#
#   [variables]
#   env = "dev"
#
#   [job]
#   name = "${env}_${name}"                 and further below: bucketName = "${env}-${bucket}"
#
#   bulkjobs submit inventory.csv --layout layout.toml --set env=prod
"""

_COMMENTS = {
    "[defaults]": "# What stands in for an empty cell, or for a column that the inventory does not have.\n"
    "# A column that is not listed here must be filled in, unless a `when` asks for it.\n",
    "[columns.bucket]": "# What `bulkjobs columns` says of each column. It changes nothing else.\n",
    "[nodes.source]": "# The nodes. What stands after `nodes.` is the node's key: others name it as their parent.\n"
    "# Every node type of Data Flow can be used; the keys are those of its API.\n",
    "[nodes.filter]": "# `when`: a row whose cell is empty has no such node, and its children move up to its parents.\n"
    "# Several filters in a row: one node for each, every one the parent of the next.\n",
    "[nodes.target]": "# A job may have several targets: add [nodes.another], with the same parents or others.\n",
}


def layout_text() -> str:
    """The built-in layout, with comments: it means the same."""
    text = builtin_text()
    for section, comment in _COMMENTS.items():
        before, found, after = text.partition(f"\n{section}\n")
        assert found, f"the built-in layout has no {section}"
        text = f"{before}\n{comment}{section}\n{after}"
    return f"{_HEAD}\n{text}"


def write_starter(folder: Path) -> list[Path]:
    """Write the files into ``folder``, which is made if it is not there. Returns their paths.

    Raises UsageError, before anything is written, if one of them is there already; StateError if the disk refuses.
    """
    texts = {"README.txt": README, "inventory.csv": INVENTORY, "layout.toml": layout_text()}
    paths = [folder / name for name in texts]
    present = [path.name for path in paths if path.exists() or path.is_symlink()]
    if present:
        raise UsageError(f"{folder}: {', '.join(present)} is there already; nothing was written", "name another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, texts.values(), strict=True):
            with path.open("x", encoding="utf-8", newline="\n") as file:  # x: what came meanwhile is not overwritten
                file.write(text)
    except OSError as error:
        raise StateError(f"{folder}: cannot be written: {error.strerror}", "name another folder") from None
    return paths
