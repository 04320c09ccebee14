"""Who may come: tokens, roles, scopes, and the names of hosts."""

from __future__ import annotations

import stat
from hashlib import sha256
from pathlib import Path

import pytest

from gemeos.errors import AccessError, SettingsError, UnknownNameError
from gemeos.serve.auth import LOCAL_ADMIN, Actor, Role, TokenFile
from gemeos.serve.guard import Access
from gemeos.units import instant

EVERYWHERE = "0.0.0.0"  # noqa: S104 -- told, not bound


class StoppedClock:
    def now(self) -> int:
        raise AssertionError("tokens are dated in wall time")

    def wall(self) -> int:
        return instant("2026-03-01T12:00Z")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "beside" / "tokens.json"


@pytest.fixture
def tokens(file: Path) -> TokenFile:
    return TokenFile(file, StoppedClock())


def test_that_a_secret_leads_to_its_actor(tokens: TokenFile) -> None:
    secret = tokens.create("kim", Role.OPERATOR, scope=["mill"])
    assert tokens.actor(secret) == Actor("kim", Role.OPERATOR, frozenset({"mill"}))


def test_that_a_secret_has_256_random_bits(tokens: TokenFile) -> None:
    one, other = (tokens.create(name, Role.VIEWER) for name in ("a", "b"))
    assert one != other
    for secret in (one, other):
        assert secret.startswith("gemeos_")
        # Base64 without padding: 6 bits a character.
        assert len(secret.removeprefix("gemeos_")) * 6 >= 256


def test_that_the_file_holds_the_hash_and_never_the_secret(tokens: TokenFile, file: Path) -> None:
    secret = tokens.create("kim", Role.VIEWER)
    text = file.read_text()
    assert secret not in text
    assert secret.removeprefix("gemeos_") not in text
    assert sha256(secret.encode()).hexdigest() in text


def test_that_only_the_owner_can_read_the_file(tokens: TokenFile, file: Path) -> None:
    tokens.create("kim", Role.VIEWER)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_that_a_wrong_secret_is_nobodys(tokens: TokenFile) -> None:
    secret = tokens.create("kim", Role.VIEWER)
    for wrong in ("", "gemeos_", secret[:-1], secret + "A", secret.swapcase(), "\udcff"):
        with pytest.raises(AccessError, match="unknown or revoked"):
            tokens.actor(wrong)


def test_that_a_revoked_token_is_worthless_and_stays_listed(tokens: TokenFile) -> None:
    secret = tokens.create("kim", Role.ADMIN)
    other = tokens.create("lee", Role.VIEWER)
    assert tokens.revoke("kim").revoked == "2026-03-01T12:00:00+00:00"
    with pytest.raises(AccessError):
        tokens.actor(secret)
    assert tokens.actor(other).name == "lee"
    assert [(t.name, t.revoked is None) for t in tokens] == [("kim", False), ("lee", True)]


def test_that_what_another_process_revokes_counts_at_once(tokens: TokenFile, file: Path) -> None:
    secret = tokens.create("kim", Role.VIEWER)
    TokenFile(file, StoppedClock()).revoke("kim")
    with pytest.raises(AccessError):
        tokens.actor(secret)


def test_that_a_name_is_never_given_twice(tokens: TokenFile) -> None:
    tokens.create("kim", Role.VIEWER)
    tokens.revoke("kim")
    with pytest.raises(SettingsError, match="There is, or was, a token 'kim'"):
        tokens.create("kim", Role.ADMIN)


@pytest.mark.parametrize("name", ["", " ", "kim ", "k\nim", "local"])
def test_that_a_name_can_be_told_in_a_line(tokens: TokenFile, name: str) -> None:
    with pytest.raises(SettingsError, match="cannot name a token"):
        tokens.create(name, Role.VIEWER)


@pytest.mark.parametrize("scope", [[], [""]])
def test_that_a_token_for_no_twin_is_refused(tokens: TokenFile, scope: list[str]) -> None:
    with pytest.raises(SettingsError, match="needs a scope"):
        tokens.create("kim", Role.VIEWER, scope=scope)


def test_that_a_token_that_is_not_there_cannot_be_revoked(tokens: TokenFile) -> None:
    tokens.create("kim", Role.VIEWER)
    with pytest.raises(UnknownNameError, match="Did you mean 'kim'"):
        tokens.revoke("kin")


def test_that_nobody_comes_in_while_the_file_is_broken(tokens: TokenFile, file: Path) -> None:
    secret = tokens.create("kim", Role.ADMIN)
    file.write_text("{")
    with pytest.raises(AccessError, match="cannot be checked"):
        tokens.actor(secret)
    with pytest.raises(SettingsError, match="cannot be read"):
        TokenFile(file, StoppedClock())


def test_that_each_role_may_what_those_below_it_may() -> None:
    viewer, operator, approver, admin = Role
    assert [need for need in Role if viewer.includes(need)] == [viewer]
    assert [need for need in Role if operator.includes(need)] == [viewer, operator]
    assert [need for need in Role if approver.includes(need)] == [viewer, operator, approver]
    assert [need for need in Role if admin.includes(need)] == [viewer, operator, approver, admin]


def test_that_a_role_that_is_too_low_is_told() -> None:
    with pytest.raises(AccessError, match="kim is viewer; this needs operator"):
        Actor("kim", Role.VIEWER).require(Role.OPERATOR)


def test_that_a_scope_holds_back_all_other_twins() -> None:
    actor = Actor("kim", Role.ADMIN, frozenset({"mill"}))
    actor.require_twin("mill")
    with pytest.raises(AccessError, match="may not see 'kiln'"):
        actor.require_twin("kiln")
    LOCAL_ADMIN.require_twin("kiln")


@pytest.mark.parametrize(
    ("bind", "host", "ours"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("127.0.0.1", "LocalHost", True),
        ("127.0.0.1", "[::1]:8000", True),
        # A tunnel ends at another port.
        ("127.0.0.1", "localhost:9000", True),
        ("127.0.0.1", "evil.example:8000", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "192.168.1.7:8000", False),
        ("127.0.0.1", "evil@localhost", False),
        ("127.0.0.1", "localhost/", False),
        ("127.0.0.1", "localhost:port", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "twins.example", True),
        ("192.168.1.7", "192.168.1.7:8000", True),
        ("192.168.1.7", "192.168.1.8:8000", False),
        # Everywhere: numbers are ours, names that somebody can point here are not.
        (EVERYWHERE, "192.168.1.7:8000", True),
        ("::", "[2001:db8::1]:8000", True),
        (EVERYWHERE, "evil.example:8000", False),
    ],
)
def test_that_a_host_header_must_name_this_site(bind: str, host: str, ours: bool) -> None:
    assert Access(bind=bind, hosts=("Twins.example",)).is_ours(host) is ours
