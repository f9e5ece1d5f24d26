"""Runs Python text as ``python -m asyncio`` would: with await at the top level, where the text has any."""

from __future__ import annotations

import ast
import asyncio
import inspect
import sys

code = compile(sys.argv[1], "snippet", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
work = eval(code, {"__name__": "__main__"})
if code.co_flags & inspect.CO_COROUTINE:
    asyncio.run(work)
