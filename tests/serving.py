"""Runs and applications for the tests of the service."""

import json
from contextlib import contextmanager
from dataclasses import replace
from urllib.parse import quote

import numpy as np
from fastapi.testclient import TestClient

from penchant import Recipe, fit
from penchant.data import synthetic
from penchant.serve.app import application
from penchant.serve.settings import ServiceSettings

QUICK = {"epochs": 2, "embedding_size": 16, "layers": 1, "max_length": 20}


def world(users=400, items=150, seed=3):
    """Views and purchases of planted interests, with tags and a clock."""
    return synthetic.world(users, items, seed).dataset()


def run_of(folder, family="transition", data=None, **recipe):
    """A fitted run on disk."""
    chosen = {"target": synthetic.TARGET, "search": {"budget": 1}, "sequence": QUICK} | recipe
    model = fit(data or world(), Recipe.model_validate(chosen), model=family)
    model.save(folder)
    return folder


@contextmanager
def client_of(run, database, **settings):
    """A client of an application in this process, and its live service."""
    told = {"open": True, "rate": 0.0} | settings
    runs = told.pop("runs", {"main": str(run)})
    app = application(ServiceSettings(runs=runs, database=database, **told))
    with TestClient(app, raise_server_exceptions=False) as client:
        client.service = app.app.state.service
        yield client


def expected(model, user, events, behavior=None):
    """Scores of all items for a known user after further events (item, behavior), (N,).

    By putting the events into the dataset: another way than the service's.
    """
    head = model.with_target(behavior)
    data, catalogue = head.dataset, head.dataset.catalogue
    row = int(data.users.rows([user])[0])
    past = data.history(user).events
    rows = catalogue.items.rows(item for item, _ in events)
    behaviors = np.array([catalogue.behavior(name) for _, name in events], np.int64)
    fresh = replace(
        past.take(np.zeros(len(events), np.int64)),
        user=np.full(len(events), row),
        item=rows,
        token=np.full(len(events), -1),
        behavior=behaviors,
        domain=catalogue.domain[rows],
        time=past.time.max() + 1 + np.arange(len(events)),
        row=data.events.row.max() + 1 + np.arange(len(events)),
    )
    both = data.with_events((data.events + fresh).sorted())
    return head.recommender.score(both.history(user))[0]


def quoted(name):
    """An identifier as a part of an address."""
    return quote(name, safe="")


def told(response, status=200):
    """The JSON of an answer that has the status that was expected."""
    assert response.status_code == status, response.text
    return json.loads(response.content)
