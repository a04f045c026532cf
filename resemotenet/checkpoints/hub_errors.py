"""What went wrong on the way to the Hub and back, in our words: what came, and what to do."""

import re
from collections.abc import Callable

from ..errors import HubAccessError, HubConnectionError, HubError, HubIntegrityError, HubNotFoundError

LATER = "; try again later"
_TOKEN = re.compile(r"hf_\w+", re.ASCII)
_CREDENTIALS = re.compile(r"(?<=://)[^\s/?#'\"]*@")
_SIGN_IN = "`hf auth login`, or HF_TOKEN"


def without_credentials(url: str) -> str:
    """An address without the name and password that it may carry; also in a text that holds addresses."""
    return _CREDENTIALS.sub("", url)


def explain(error: BaseException, where: str, endpoint: str) -> HubError:
    """Our error for one that huggingface_hub raised.

    Its classes are told by name: only hub.py imports that library.

    Args:
        where: the repository, and the revision if one was asked for.
        endpoint: address of the Hub.
    """
    if isinstance(error, HubError):
        return error
    if type(error) is RuntimeError and error.__cause__ is not None:  # "Error while uploading ..."
        return explain(error.__cause__, where, endpoint)
    endpoint = without_credentials(endpoint)
    names = {kind.__name__ for kind in type(error).__mro__}
    said = one_line(getattr(error, "server_message", None) or error)
    for name, tell in _BY_NAME.items():
        if name in names:
            return tell(where, said)
    if status := status_of(error):
        return _by_status(status, where, said)
    if "OfflineModeIsEnabled" in names:
        return HubConnectionError(f"{endpoint} is not asked, because offline mode is on (HF_HUB_OFFLINE)")
    # HTTPError is the base of all that the HTTP library raises on its way; a bare RuntimeError comes from Xet's.
    if names & {"HTTPError", "ConnectionError", "TimeoutError"} or type(error) is RuntimeError:
        reason = said or type(error).__name__
        return HubConnectionError(f"{endpoint} cannot be reached, or the connection broke ({reason}){LATER}")
    if isinstance(error, OSError) and error.errno is None:  # huggingface_hub's own check of sizes
        return HubIntegrityError(f"a file of {where} was cut short on its way and thrown away; try again ({said})")
    if isinstance(error, OSError):
        return HubError(f"a file of {where} cannot be read or written here: {said}")
    # ValueError, KeyError, TypeError and more: huggingface_hub takes it for granted that answers make sense.
    said = said or type(error).__name__
    return HubIntegrityError(f"the Hub's answer about {where} cannot be used ({said}); is {endpoint} the Hub?")


def status_of(error: BaseException) -> int:
    """The status of the answer that an error is about; 0 where there was none."""
    return int(getattr(getattr(error, "response", None), "status_code", 0))


def one_line(said: object) -> str:
    """What a server or library said, in one line of bounded length, without tokens and passwords."""
    text = " ".join(str(said)[:3000].split())
    return _TOKEN.sub("hf_...", without_credentials(text))[:300]


def _by_status(status: int, where: str, said: str) -> HubError:
    if status == 404:
        return _no_repository(where, said)
    if status == 401:
        return HubAccessError(f"your token is not accepted ({said}); sign in anew: {_SIGN_IN}")
    if status == 403:
        return HubAccessError(f"no access to {where}: your token lacks the right ({said}); make one that has it")
    if status == 429:
        return HubConnectionError(f"the Hub has had too many requests ({said}); wait some minutes")
    if status >= 500:
        return HubConnectionError(f"the Hub failed at {where}, even after retries (status {status}: {said}){LATER}")
    return HubError(f"the Hub refused {where} (status {status}: {said})")


def _no_repository(where: str, said: str) -> HubError:
    # The Hub says the same of a private repository to everybody who may not see it.
    return HubNotFoundError(
        f"there is no {where}, or it is private and your token may not see it; check the name, or sign in: {_SIGN_IN}"
    )


def _no_revision(where: str, said: str) -> HubError:
    return HubNotFoundError(f"there is no {where}: the repository has no such branch, tag or commit")


def _no_file(where: str, said: str) -> HubError:
    return HubNotFoundError(f"{where} no longer has a file that it had a moment ago ({said}); try again")


def _gated(where: str, said: str) -> HubError:
    return HubAccessError(
        f"{where} is gated: accept its terms on its page, and sign in with that account: {_SIGN_IN} ({said})"
    )


def _no_hash(where: str, said: str) -> HubError:
    return HubIntegrityError(f"the Hub does not say what a file of {where} should be, so it was not taken ({said})")


# The first that fits; a gated repository is also one that was not found.
_BY_NAME: dict[str, Callable[[str, str], HubError]] = {
    "GatedRepoError": _gated,
    "RevisionNotFoundError": _no_revision,
    "RepositoryNotFoundError": _no_repository,
    "RemoteEntryNotFoundError": _no_file,
    "FileMetadataError": _no_hash,
}
