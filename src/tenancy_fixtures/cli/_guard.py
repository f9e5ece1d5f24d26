"""What stands around every command: whatever goes wrong becomes a few plain words, or one JSON object, and an exit code."""

from __future__ import annotations

import logging
import os
import traceback
from typing import TYPE_CHECKING, Any

import typer

from ..exceptions import TenancyError
from ._exit import ExitCode, Interrupted, exit_code_of
from ._output import answer_lost, emit, note, show_error

if TYPE_CHECKING:
    from collections.abc import Sequence

_INTERRUPTED = "Interrupted. What was not committed is rolled back."


def guarded(command: Any, arguments: Sequence[str]) -> int:
    """Run a command with these arguments and give its exit code."""
    code = _run(command, arguments)
    reason = answer_lost()
    if reason is None:
        return code
    done = "The work is done and stays done, but" if code == ExitCode.DONE else "Besides,"
    note(f"Error: {done} standard output could not be written: {reason}")
    # What went wrong with the work says more.
    return code or ExitCode.ANSWER_LOST


def _run(command: Any, arguments: Sequence[str]) -> int:
    as_json = "--json" in _options(arguments)
    # The pool logs each connection that it gives up; what came of it is told by the command.
    logging.getLogger("psycopg.pool").addHandler(logging.NullHandler())
    try:
        # Not standalone: the exit codes and the form of errors are ours.
        code = command.main(args=list(arguments), prog_name="tenancy", standalone_mode=False)
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else ExitCode.FAILED
    except BaseException as error:  # noqa: BLE001 - nothing may pass: the exit code is the answer
        if _debugging(arguments):
            note("".join(traceback.format_exception(type(error), error, error.__traceback__)))
        return _told(error, as_json=as_json)
    return code if isinstance(code, int) else ExitCode.DONE


def _told(error: BaseException, *, as_json: bool) -> int:
    if isinstance(error, TenancyError):
        return _tell(error.to_dict(), exit_code_of(error), as_json, lambda: show_error(error))
    if isinstance(error, (Interrupted, KeyboardInterrupt, typer.Abort)):
        code = error.code if isinstance(error, Interrupted) else ExitCode.INTERRUPTED
        return _tell({"error": "Interrupted", "message": _INTERRUPTED}, code, as_json, lambda: note(_INTERRUPTED))
    if _is_usage(error):
        facts = {"error": "UsageError", "message": error.format_message()}  # type: ignore[attr-defined]
        return _tell(facts, ExitCode.USAGE, as_json, error.show)  # type: ignore[attr-defined]
    message = _unexpected(error)
    return _tell({"error": type(error).__name__, "message": message}, ExitCode.FAILED, as_json, lambda: note(f"Error: {message}"))


def _tell(facts: dict[str, Any], code: ExitCode, as_json: bool, show: Any) -> int:
    if as_json:
        emit({**facts, "exit_code": code.value})
    if not as_json or answer_lost():
        show()
    return code.value


def _unexpected(error: BaseException) -> str:
    """What may be said of any error: its own words could hold a row's value, those of the operating system don't."""
    words = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    return f"unexpected {type(error).__name__}{words}. Set TENANCY_DEBUG=1 and run it again to see the traceback."


def _is_usage(error: BaseException) -> bool:
    # typer brought click's classes in house with 0.2x: known by what they can do, not by where they live.
    return hasattr(error, "format_message") and hasattr(error, "show")


def _options(arguments: Sequence[str]) -> Sequence[str]:
    """The words before ``--``: after it nothing is an option."""
    words = list(arguments)
    return words[: words.index("--")] if "--" in words else words


def _debugging(arguments: Sequence[str]) -> bool:
    return "--debug" in _options(arguments) or os.environ.get("TENANCY_DEBUG", "").lower() in {"1", "true", "yes", "on", "t", "y"}
