"""Who asks, and what they may: named tokens in a file beside the store, and the actor of a request.

A secret has 256 random bits and is shown once; the file keeps its SHA-256. A slow hash would be
wrong here: it defends secrets that people choose and that can be guessed by trying likely ones,
whereas nobody tries 2^256 equally likely ones, and its cost would be paid by each request.
"""

from __future__ import annotations

import hmac
import logging
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Lock
from typing import Final, final

import msgspec

from gemeos.clock import Clock, SystemClock
from gemeos.errors import AccessError, SettingsError, UnknownNameError
from gemeos.schema.role import Role
from gemeos.units import iso

__all__ = ["EVERY_TWIN", "LOCAL_ADMIN", "Actor", "Role", "Token", "TokenFile"]

logger = logging.getLogger(__name__)

SECRET_BYTES: Final = 32
SECRET_PREFIX: Final = "gemeos_"  # noqa: S105 -- the part that all have
"""Makes a secret that leaked into a log or a repository easy to find."""
EVERY_TWIN: Final = "*"


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever makes a request."""

    name: str
    """As events store it: the token's name, or ``local``."""
    role: Role
    scope: frozenset[str] | None = None
    """Twins that it may see; None for all."""

    def sees(self, twin: str) -> bool:
        """Whether it may know of the twin."""
        return self.scope is None or twin in self.scope

    def require(self, role: Role) -> None:
        """Go on only with that role.

        Raises:
            AccessError: the actor has a lesser one.
        """
        if not self.role.includes(role):
            raise AccessError(
                f"{self.name} is {self.role.value}; this needs {role.value}. "
                "`gemeos token` gives out tokens of other roles."
            )

    def require_twin(self, twin: str) -> None:
        """Go on only if the twin is in scope. Says nothing of whether there is such a twin.

        Raises:
            AccessError: it is not.
        """
        if not self.sees(twin):
            raise AccessError(
                f"{self.name} may not see {twin!r}: its token does not name that twin."
            )


LOCAL_ADMIN: Final = Actor("local", Role.ADMIN)
"""Somebody on the machine itself, who could read the store anyway."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the file. The secret is not in it."""

    name: str
    sha256: str
    """Of the secret, in hex."""
    role: Role
    scope: tuple[str, ...] = (EVERY_TWIN,)
    """Names of twins, or ``*``."""
    created: str
    """Wall time, ISO 8601."""
    revoked: str | None = None
    """When; None while it is good."""

    def told(self) -> dict[str, str | list[str] | None]:
        """What can be shown of it."""
        return {
            "name": self.name,
            "role": self.role.value,
            "scope": list(self.scope),
            "created": self.created,
            "revoked": self.revoked,
        }

    @property
    def actor(self) -> Actor:
        """Who comes with it."""
        return Actor(
            self.name, self.role, None if EVERY_TWIN in self.scope else frozenset(self.scope)
        )


class _File(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    version: int = 1
    tokens: tuple[Token, ...] = ()


@final
class TokenFile:
    """The tokens of a site. A change of the file counts from the next request on."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        """Read ``path``; a file that is not there yet holds no tokens.

        Args:
            path: Beside the store; made readable by its owner only.
            clock: Whose wall time is written down; the machine's where left out.

        Raises:
            SettingsError: the file cannot be read.
        """
        self._path = path
        self._clock = clock or SystemClock()
        self._lock = Lock()
        self._seen: tuple[int, int, int] | None = None
        self._tokens: tuple[Token, ...] = ()
        self._refresh()

    def listed(self) -> tuple[Token, ...]:
        """All there are, also revoked ones, in the order in which they were made."""
        with self._lock:
            self._refresh()
            return self._tokens

    def __iter__(self) -> Iterator[Token]:
        return iter(self.listed())

    def create(self, name: str, role: Role, *, scope: Sequence[str] | None = None) -> str:
        """A new token's secret: it cannot be shown again.

        Args:
            name: How events tell of who did something.
            role: What it may do.
            scope: Names of the twins that it may see; all where left out.

        Raises:
            SettingsError: the name is taken, also by a revoked token: events are told by it.
        """
        if not name or name != name.strip() or not name.isprintable() or name == LOCAL_ADMIN.name:
            raise SettingsError(f"{name!r} cannot name a token.")
        twins = (EVERY_TWIN,) if scope is None else tuple(scope)
        if not twins or "" in twins:
            raise SettingsError(f"The token {name!r} needs a scope: names of twins, or '*'.")
        secret = SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        with self._lock:
            self._refresh()
            if any(token.name == name for token in self._tokens):
                raise SettingsError(
                    f"There is, or was, a token {name!r}. Choose another name: events are told "
                    "by it, and would be told of two."
                )
            token = Token(
                name=name, sha256=_hashed(secret), role=role, scope=twins, created=self._now()
            )
            self._write((*self._tokens, token))
        return secret

    def revoke(self, name: str) -> Token:
        """Make it worthless at once. One that was revoked before stays as it is.

        Raises:
            UnknownNameError: no such token.
        """
        with self._lock:
            self._refresh()
            found = next((t for t in self._tokens if t.name == name), None)
            if found is None:
                names = (t.name for t in self._tokens)
                raise UnknownNameError("token", name, names, where=str(self._path))
            if found.revoked is not None:
                return found
            now = msgspec.structs.replace(found, revoked=self._now())
            self._write(tuple(now if t is found else t for t in self._tokens))
        return now

    def actor(self, secret: str) -> Actor:
        """Who comes with that secret.

        Raises:
            AccessError: nobody; whether it was revoked or never there is not told.
        """
        asked = _hashed(secret)
        found: Token | None = None
        with self._lock:
            try:
                self._refresh()
            except SettingsError as error:
                # Nobody comes in while it is not known who may; the person who broke it is told.
                logger.error("%s", error)  # noqa: TRY400 -- the message says it all
                raise AccessError("Tokens cannot be checked at present.") from error
            # Goes through all, so that the time it takes tells nothing of where one was found.
            for token in self._tokens:
                if hmac.compare_digest(token.sha256, asked) and token.revoked is None:
                    found = token
        if found is None:
            raise AccessError("The token is unknown or revoked.")
        return found.actor

    def _now(self) -> str:
        return iso(self._clock.wall())

    def _refresh(self) -> None:
        try:
            about = self._path.stat()
        except FileNotFoundError:
            self._tokens, self._seen = (), None
            return
        seen = (about.st_mtime_ns, about.st_size, about.st_ino)
        if seen == self._seen:
            return
        try:
            read = msgspec.json.decode(self._path.read_bytes(), type=_File)
        except (OSError, msgspec.MsgspecError) as error:
            raise SettingsError(f"The tokens in {self._path} cannot be read: {error}") from error
        if read.version != 1:
            raise SettingsError(f"{self._path} was written by a newer Gemeos.")
        self._tokens, self._seen = read.tokens, seen

    def _write(self, tokens: tuple[Token, ...]) -> None:
        """All of the file or nothing of it, whenever the power goes."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = msgspec.json.format(msgspec.json.encode(_File(tokens=tokens)), indent=2)
        # Made with mode 0600.
        with NamedTemporaryFile(dir=self._path.parent, prefix=".tokens-", delete=False) as file:
            file.write(text + b"\n")
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self._path)
        self._refresh()


def _hashed(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
