"""Spotify's Web API, live: what is asked for becomes files of its responses, which load like any other.

Client credentials, pages, limits of requests, faults of the network. The pages that came are kept in a journal until the load has
ended, so that a run that died goes on where it stopped.
"""

from __future__ import annotations

from ._fetch import Fetched, WebApiRequest, fetching

__all__ = ["Fetched", "WebApiRequest", "fetching"]
