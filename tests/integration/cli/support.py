"""What the command line has answered, and what the tests of its commands share."""

from __future__ import annotations

import json
from dataclasses import dataclass

HEAD = 6


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self):
        """The one object on stdout."""
        assert self.out.count("\n") == 1, self.out
        return json.loads(self.out)

    @property
    def lines(self):
        return [json.loads(line) for line in self.out.splitlines()]
