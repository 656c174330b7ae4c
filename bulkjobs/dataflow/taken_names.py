"""Whether a refused create may mean that the job's name is taken. Pure.

No documentation says what a duplicate name gets (``dataflow-api.md`` §4), so a refusal is taken for one when its words
say that something is there already and either name the job or name no other part of the request. Both mistakes are
harmless: a refusal that is wrongly taken for one costs a lookup, one that is not ends its row as rejected, and the next
run finds the name in the list.
"""

from __future__ import annotations

import re

_CODE = "bad-state"
"""The one documented code that is about what is there, and not about the request."""

_THERE = re.compile(r"exist|duplicat|already|conflict|\btaken\b|\bin use\b|\bunique\b|중복|이미|존재|사용\s*중")
_ABSENT = re.compile(
    r"\b(?:do|does|did)(?:\s+not|n['’]t)\s+exist\w*"
    r"|\bnot\s+exist(?:ing|ent)\b|\bnon-?exist\w*|존재하지\s*않\w*"
)
_JOB_NAME = re.compile(
    r"\bjobs?[\s_-]*(?:(?:'s|with|of|by|that|this|the|a|same|has|having|such)\s+)*name|\bname\s+of\s+(?:the\s+)?job"
    r"|작업(?:의|\s)*이름|작업명"
)
_OTHER_PART = re.compile(
    r"field|column|bucket|\bnode|connection|\btable|database|prefix|target|(?<!re)source|schema|region|catalog"
    r"|filter|condition|operator|parent|type"
    r"|필드|컬럼|버킷|노드|연결|테이블|데이터베이스|접두|대상|타깃|타겟|원본|소스|스키마|리전|필터|유형|타입"
)


def may_be_taken(code: str | None, message: str, name: str | None) -> bool:
    """Whether this refusal of a create of ``name`` may mean "a job of this name exists"."""
    if code == _CODE:
        return True
    text = f"{code or ''} {message}".lower()
    is_named = False
    if name:
        # What stands in the name says nothing: a job may be called duplicates_of_bucket.
        text, count = re.subn(rf"(?<![a-z0-9_-]){re.escape(name.lower())}(?![a-z0-9_-])", " ", text)
        is_named = count > 0
    if not _THERE.search(_ABSENT.sub(" ", text)):
        return False
    return is_named or bool(_JOB_NAME.search(text)) or not _OTHER_PART.search(text)
