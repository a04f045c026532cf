"""What huggingface_hub raises, and what becomes of it; its own classes, answers as the Hub gives them."""

import errno
from types import SimpleNamespace
from typing import Any

import pytest
from huggingface_hub import errors as theirs

from resemotenet import errors
from resemotenet.checkpoints.hub_errors import explain, status_of, without_credentials


def answered(kind: type, status: int, said: str = "words of the server") -> Exception:
    """An error as huggingface_hub makes it of an answer."""
    response = SimpleNamespace(status_code=status, headers={}, request=None)
    made: Exception = kind(said, response=response, server_message=said)
    return made


@pytest.mark.parametrize(
    ("kind", "status", "expected", "told"),
    [
        (theirs.GatedRepoError, 403, errors.HubAccessError, "owner/name is gated: accept its terms"),
        (theirs.RepositoryNotFoundError, 404, errors.HubNotFoundError, "there is no owner/name, or it is"),
        (theirs.RepositoryNotFoundError, 401, errors.HubNotFoundError, "there is no owner/name, or it is"),
        (theirs.RevisionNotFoundError, 404, errors.HubNotFoundError, "no such branch, tag or commit"),
        (theirs.HfHubHTTPError, 404, errors.HubNotFoundError, "there is no owner/name"),
        (theirs.HfHubHTTPError, 401, errors.HubAccessError, "your token is not accepted"),
        (theirs.HfHubHTTPError, 403, errors.HubAccessError, r"lacks the right \(words of the server\)"),
        (theirs.HfHubHTTPError, 429, errors.HubConnectionError, "too many requests"),
        (theirs.HfHubHTTPError, 500, errors.HubConnectionError, r"even after retries \(status 500"),
        (theirs.HfHubHTTPError, 503, errors.HubConnectionError, "status 503"),
        (theirs.RemoteEntryNotFoundError, 404, errors.HubNotFoundError, "no longer has a file"),
        (theirs.HfHubHTTPError, 418, errors.HubError, r"the Hub refused owner/name \(status 418"),
    ],
)
def test_answers(kind: type, status: int, expected: type, told: str) -> None:
    error = answered(kind, status)
    assert status_of(error) == status
    explained = explain(error, "owner/name", "https://hub.example")
    assert type(explained) is expected
    with pytest.raises(expected, match=told):
        raise explained


@pytest.mark.parametrize(
    ("error", "expected", "told"),
    [
        (
            theirs.OfflineModeIsEnabled("no"),
            errors.HubConnectionError,
            "https://hub.example is not asked, .*offline mode",
        ),
        (
            ConnectionResetError("reset"),
            errors.HubConnectionError,
            r"cannot be reached, or the connection broke \(reset\)",
        ),
        (TimeoutError(), errors.HubConnectionError, r"\(TimeoutError\)"),
        (RuntimeError("xet"), errors.HubConnectionError, "xet"),
        (
            theirs.FileMetadataError("no ETag"),
            errors.HubIntegrityError,
            "does not say what a file of owner/name should be",
        ),
        (OSError("Consistency check failed"), errors.HubIntegrityError, "cut short on its way and thrown away"),
        (OSError(errno.ENOSPC, "No space left"), errors.HubError, "cannot be read or written here: .*No space left"),
        (
            ValueError("Expecting value"),
            errors.HubIntegrityError,
            r"cannot be used \(Expecting value\); is https://hub\.example",
        ),
    ],
)
def test_no_answer(error: Exception, expected: type, told: str) -> None:
    assert status_of(error) == 0
    explained = explain(error, "owner/name", "https://hub.example")
    assert type(explained) is expected
    with pytest.raises(expected, match=told):
        raise explained


def test_long_answers_are_cut_and_put_in_one_line() -> None:
    explained = explain(answered(theirs.HfHubHTTPError, 403, "a\nb " * 1000), "owner/name", "https://hub.example")
    assert len(str(explained)) < 500
    assert "\n" not in str(explained)


def test_what_the_http_library_raises_is_told_by_the_name_of_its_base() -> None:
    transport: Any = theirs.HfHubHTTPError.__bases__[0]
    assert not issubclass(transport, OSError)
    broken = explain(transport("[SSL] wrong version number"), "owner/name", "https://hub.example")
    assert type(broken) is errors.HubConnectionError


@pytest.mark.parametrize("error", [TypeError("'int' object is not iterable"), RecursionError(), AttributeError("x")])
def test_an_answer_that_makes_no_sense(error: Exception) -> None:
    told = explain(error, "owner/name", "https://hub.example")
    assert type(told) is errors.HubIntegrityError
    assert str(told).startswith("the Hub's answer about owner/name cannot be used (")


def test_a_token_that_the_server_repeats_is_not_repeated_here() -> None:
    token = "hf_" + "Secret123" * 3
    for status in (401, 403, 418, 429, 500):
        told = str(explain(answered(theirs.HfHubHTTPError, status, f"bad token {token}!"), "owner/name", "https://h"))
        assert token not in told
        assert "bad token hf_...!" in told


@pytest.mark.parametrize("error", [ConnectionResetError("http://me:pass@hub.example/x broke"), ValueError("no JSON")])
def test_credentials_in_the_address_of_the_hub_are_not_told(error: Exception) -> None:
    told = str(explain(error, "owner/name", "http://me:pass@hub.example:8080"))
    assert "http://hub.example:8080" in told
    assert "pass" not in told
    assert "me:" not in told


def test_only_credentials_are_taken_out_of_an_address() -> None:
    assert (
        without_credentials("https://a:b@c@hub.example/owner/hf_model@main")
        == "https://hub.example/owner/hf_model@main"
    )
    assert without_credentials("https://hub.example/a@b") == "https://hub.example/a@b"
