"""The setting CSVR_OBSERVER: the URL of a database that records runs besides the files in runs/.

An environment variable, since it may hold a password. Standard library only: the workflow checks it whenever it starts.
"""

from __future__ import annotations

import os
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from csvr.errors import UserError

VARIABLE = "CSVR_OBSERVER"
KNOWN = {
    "sqlite": "sqlite:///FILE",
    "postgresql": "postgresql://USER@HOST/DATABASE",
    "mongodb": "mongodb://HOST/DATABASE",
    "mongodb+srv": "mongodb+srv://HOST/DATABASE",
}


def setting() -> SplitResult | None:
    """The URL that the environment names; None without one.

    Raises:
        UserError: It is none of a database that can record runs. The message repeats nothing that may be a password.
    """
    text = os.environ.get(VARIABLE, "").strip()
    return _checked(text) if text else None


def _checked(text: str) -> SplitResult:
    """The parts of a URL, or a UserError."""
    known = f"known: {', '.join(list(KNOWN.values())[:3])}"
    try:
        url = urlsplit(text)
        # Characters of a password that would have to be %XX end up in the wrong part.
        broken = bool(url.fragment) or (url.scheme != "sqlite" and "@" in url.path + url.query)
        if url.scheme == "postgresql":
            _ = url.port
    except ValueError:
        broken = True
    if broken:
        raise UserError(f"{VARIABLE}: not a URL (special characters of a password are written as %XX); {known}")
    if url.scheme not in KNOWN:
        raise UserError(f"{VARIABLE}: unknown scheme {url.scheme!r}; {known}")
    if url.scheme == "sqlite" and (url.netloc or not url.path.strip("/")):
        raise UserError(f"{VARIABLE}: no file in the URL; it is {KNOWN['sqlite']}, or sqlite:////FOLDER/FILE")
    if url.scheme == "postgresql" and not url.path.strip("/"):
        raise UserError(f"{VARIABLE}: no database in the URL; it is {KNOWN['postgresql']}")
    if url.scheme.startswith("mongodb") and not url.hostname:
        raise UserError(f"{VARIABLE}: no host in the URL; it is {KNOWN[url.scheme]}")
    return url


def shown(url: SplitResult) -> str:
    """The URL without password and options."""
    host = url.netloc.rpartition("@")[2]
    return f"{url.scheme}://{f'{url.username}@' if url.username else ''}{host}{url.path}"


def reason(url: SplitResult, error: Exception) -> str:
    """What went wrong, in one line and without the password (drivers repeat some of what they were given)."""
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    secrets = [url.password or "", *(value for key, value in parse_qsl(url.query) if "pass" in key.lower())]
    for secret in filter(None, {*secrets, *map(unquote, secrets)}):
        text = text.replace(secret, "***")
    return text
