"""Credentials as NAVER's own tools read them (``dataflow-api.md`` §3): explicit, then environment, then file.

Half a pair is an error, not a reason to look further. No message here holds any part of a key.
"""

from __future__ import annotations

import configparser
from collections.abc import Mapping
from pathlib import Path

from bulkjobs.dataflow.signature import Credentials
from bulkjobs.errors import AccessError

DEFAULT_FILE = "~/.ncloud/configure"
_ACCESS_NAMES = ("NCLOUD_ACCESS_KEY_ID", "NCLOUD_ACCESS_KEY")
_SECRET_NAMES = ("NCLOUD_SECRET_ACCESS_KEY", "NCLOUD_SECRET_KEY")
_ACCESS_KEY = "ncloud_access_key_id"
_SECRET_KEY = "ncloud_secret_access_key"  # noqa: S105  # the name of a key, not a key
_NO_SECTION = "\0none"
"""Where configparser would look for inherited values: a section that no file can have."""

_ELSEWHERE = "name another with --credentials-file, or set NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY"
_FORM = "[DEFAULT], then ncloud_access_key_id = ..., then ncloud_secret_access_key = ..., a line each"


def find_credentials(
    environment: Mapping[str, str], profile: str | None = None, file: Path | None = None
) -> Credentials:
    """The credentials to use.

    ``profile`` and ``file`` are what the user named explicitly: with either, only the file counts. Otherwise
    the environment's pair wins, then ``~/.ncloud/configure`` with ``NCLOUD_PROFILE``.

    Raises AccessError when there are none, half a pair, or the file cannot be read.
    """
    if profile is None and file is None:
        pair = _from_environment(environment)
        if pair is not None:
            return pair
        profile = environment.get("NCLOUD_PROFILE") or None
    path = file if file is not None else Path(DEFAULT_FILE).expanduser()
    if file is None and profile is None and not path.exists():
        raise AccessError(
            "no credentials found",
            "set NCLOUD_ACCESS_KEY_ID and NCLOUD_SECRET_ACCESS_KEY, or write ~/.ncloud/configure, "
            "or try without an account: --sandbox",
        )
    return _from_file(path, profile)


def _from_environment(environment: Mapping[str, str]) -> Credentials | None:
    access = _first(environment, _ACCESS_NAMES)
    secret = _first(environment, _SECRET_NAMES)
    if access is None and secret is None:
        return None
    if access is None or secret is None:
        missing = (_ACCESS_NAMES if access is None else _SECRET_NAMES)[0]
        raise AccessError(
            f"half a pair of credentials in the environment: {missing} is not set", "set both, or neither"
        )
    return _checked(access, secret, "the environment")


def _first(environment: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((environment[name] for name in names if environment.get(name)), None)


def _from_file(path: Path, profile: str | None) -> Credentials:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise AccessError(f"credentials file {path}: cannot be read: {reason}", _ELSEWHERE) from None
    parser = configparser.RawConfigParser(
        default_section=_NO_SECTION, delimiters=("=",), strict=True, allow_no_value=False
    )
    try:
        try:
            parser.read_string(text)
        except configparser.MissingSectionHeaderError:
            parser.read_string(f"[DEFAULT]\n{text}")
    except configparser.Error as error:
        # The parser's own message quotes the line, which may hold a secret: only its kind is told.
        message = f"credentials file {path}: not a valid INI file ({type(error).__name__})"
        raise AccessError(message, f"write {_FORM}") from None
    section = profile or "DEFAULT"
    if not parser.has_section(section):
        match = next((name for name in parser.sections() if name.lower() == section.lower()), None)
        if match is None:
            known = ", ".join(parser.sections()) or "none"
            raise AccessError(f"credentials file {path}: no profile {section!r}", f"profiles there: {known}")
        section = match
    access = parser.get(section, _ACCESS_KEY, fallback="").strip()
    secret = parser.get(section, _SECRET_KEY, fallback="").strip()
    if not access or not secret:
        missing = _SECRET_KEY if access else _ACCESS_KEY
        raise AccessError(f"credentials file {path}, profile {section!r}: {missing} is missing", f"add {missing} = ...")
    return _checked(access, secret, f"{path}, profile {section}")


def _checked(access: str, secret: str, source: str) -> Credentials:
    """Key lengths differ and are not ours to judge, but a key travels in a header: it must be able to."""
    if not (access.isascii() and access.isprintable()) or " " in access:
        raise AccessError(f"the access key from {source} holds characters that no key has", "copy it again")
    return Credentials(access, secret, source)
