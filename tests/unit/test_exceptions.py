"""Errors keep what they know on their way into another process."""

from __future__ import annotations

import pickle

from tenancy_fixtures._shapes import Reject
from tenancy_fixtures.exceptions import DataRejected


def test_rejects_come_along():
    reject = Reject("tracks.csv", 3, "range", "popularity", "expected at most 100")
    error = DataRejected("1 of 5 records broke the rules", rejects=[reject], tenant="acme", hint="Mend it.", count=1)
    same = pickle.loads(pickle.dumps(error))
    assert type(same) is DataRejected
    assert same.rejects == (reject,)
    assert same.to_dict() == error.to_dict()
