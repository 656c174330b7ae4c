"""Rates and times in words, as exact as they are good for."""

from __future__ import annotations

import math

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))


def per_second(rate: float) -> str:
    """``1,792.0``, ``7.8``; below 1 two digits that count: ``0.25``, ``0.01``."""
    if rate <= 0 or rate >= 1:
        return f"{rate:,.1f}"
    decimals = 1 - math.floor(math.log10(rate))
    whole, digits = f"{rate:.{decimals}f}".split(".")
    return f"{whole}.{digits.rstrip('0') or '0'}"


def about(seconds: float) -> str:
    """``less than a second``, ``about 12 s``, ``about 1:45 min``, ``about 1:02:03``."""
    if seconds < 1:
        return "less than a second"
    if seconds < 100:
        return f"about {seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"about {hours}:{minutes:02}:{rest:02}" if hours else f"about {minutes}:{rest:02} min"


def ago(seconds: float) -> str:
    """``2 days ago``, ``1 hour ago``, ``less than a minute ago``: whole units that have passed."""
    for word, length in _UNITS:
        count = int(seconds // length)
        if count:
            return f"{count:,} {word}{'' if count == 1 else 's'} ago"
    return "less than a minute ago"
