"""How tenants are kept apart: what differs between one way and another, behind one Protocol."""

from __future__ import annotations

from ._form import Isolation as Isolation
from ._form import Place as Place
from ._kinds import isolation_of as isolation_of
from ._kinds import named as named
from ._replay import make_head as make_head
from ._replay import read_standing as read_standing
from ._replay import replay as replay
from ._row import refuse_open as refuse_open
from ._row import share as share
from ._schema import whose as whose
