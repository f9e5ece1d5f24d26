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

    _ORDER = ("init", "tenant", "load", "validate", "migrate", "pack", "demo", "server", "alias", "new", "check", "generate")

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        _format(self, ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """The commands' names in order."""
        names = list(super().list_commands(ctx))
        return sorted(names, key=lambda name: self._ORDER.index(name) if name in self._ORDER else len(self._ORDER))


def _format(command: Any, ctx: Any, formatter: Any) -> None:
    command.format_usage(ctx, formatter)
    command.format_help_text(ctx, formatter)
    command.format_options(ctx, formatter)
    command.format_epilog(ctx, formatter)
