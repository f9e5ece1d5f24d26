"""Help in plain text: the same on every version of typer, in a terminal, in a pipe, and in the reference made from it."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand, TyperGroup


class PlainCommand(TyperCommand):
    """A command whose help is plain."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _format(self, ctx, formatter)


class PlainGroup(TyperGroup):
    """A group whose help is plain, and lists commands in the order in which a newcomer needs them."""

    # Every command of every group: what is not named here old versions of typer sort otherwise than new ones.
    _ORDER = (
        *("init", "tenant", "load", "detect", "validate", "doctor", "migrate", "adopt", "eject", "pack", "demo", "server", "alias"),
        *("create", "list", "show", "login", "drop"),
        *("new", "from-database", "check", "generate", "rowify"),
        *("status", "stop"),
    )

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _format(self, ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands' names in order."""
        names = list(super().list_commands(ctx))
        return sorted(names, key=self._ORDER.index)


def _format(command: Any, ctx: Any, formatter: Any) -> None:
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    command.format_options(ctx, formatter)
    command.format_epilog(ctx, formatter)
