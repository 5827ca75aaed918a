"""The service without its addresses: artifacts and a store as one, always up to date."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from penchant.data.cleaning.exclusions import REFUSALS
from penchant.data.dataset import Histories
from penchant.data.hashing import hashes, uniform
from penchant.errors import ArtifactError, ConfigError, PenchantError
from penchant.llm.client import LanguageModel
from penchant.llm.client.time_limit import TimeLimited
from penchant.recommendation import Model
from penchant.recommendation.interests import Control
from penchant.recommendation.rerank import Rules
from penchant.recommendation.text_search import profile_query
from penchant.serve.service.release_gate import refused
from penchant.serve.service.variant import Arm, State
from penchant.serve.settings import Settings
from penchant.serve.store.impression_log import ShownLog
from penchant.serve.store.records import Look
from penchant.serve.store.store import Store
from penchant.storage.signing_key import SigningKey, load_key

log = logging.getLogger(__name__)

History = Sequence[str | tuple[str, str]]
_TRIES = 5  # of reading a run while another is put in its place


@dataclass(frozen=True)
class Known:
    """What is known of who asks: their arm, their head of it, their past, their consent.

    ``profile`` is what they have written of their interests; None where they have not, and without
    consent.
    """

    arm: Arm
    head: Model
    given: Histories
    strange: tuple[str, ...]
    consent: bool
    said: tuple[Control, ...]
    profile: str | None = None


class Live:
    """Artifacts and a store as one: every answer follows all that the store knows."""

    def __init__(self, store: Store, settings: Settings) -> None:
        self.store, self.settings = store, settings
        self.rules = Rules.model_validate(dict(settings.rules))
        self.lock = threading.RLock()
        self.at = 0
        self.since = store.revision if settings.since is None else settings.since
        self.states: dict[str, State] = {}
        self.gone: dict[str, int] = {}
        self.loading: set[str] = set()
        self.arms = {name: _loaded(name, path, store) for name, path in settings.runs.items()}
        for arm in self.arms.values():
            arm.reranker(None, self.rules)
        self.log = ShownLog(store)
        self.llm = model_of(settings)
        self.follow(store.revision)

    @cached_property
    def key(self) -> SigningKey:
        """The secret key that signs receipts."""
        return load_key(self.settings.key, log.warning)

    def close(self) -> None:
        """Write what waits and close the store."""
        self.log.close()
        self.store.close()

    # following the store

    def follow(self, revision: int) -> None:
        """Take in all changes up to a number."""
        if revision <= self.at:
            return
        with self.lock:
            if revision <= self.at:
                return
            items: dict[str, tuple[int, Mapping[str, Any]]] = {}
            latest: dict[str, dict[str, Any]] = {}
            for change in self.store.changes(self.at):
                if change.kind == "item":
                    items[change.key] = change.id, change.content
                elif change.kind == "state":
                    self.states = {**self.states, change.key: change.content}
                elif change.kind == "forgotten":
                    self.gone = {**self.gone, change.key: change.id}
                elif change.id > self.since:
                    latest[change.key] = change.content
                self.at = change.id
            arms = {name: self._brought(arm, items) for name, arm in self.arms.items()}
            self.arms = {name: arm.stated(self.states) for name, arm in arms.items()}
        for name, content in latest.items():
            self._swap_later(name, content)

    def _brought(self, arm: Arm, items: Mapping[str, tuple[int, Mapping[str, Any]]]) -> Arm:
        """The arm with the items that it does not hold itself."""
        new = [{"item": key, **of} for key, (at, of) in items.items() if at > arm.change]
        if not new:
            return arm
        try:
            return arm.with_items(new)
        except PenchantError as error:
            log.error("arm %s goes on without %d new items: %s", arm.name, len(new), error)
            return arm

    def _swap_later(self, name: str, content: Mapping[str, Any]) -> None:
        """Read another artifact beside the requests and put it in the arm's place."""
        arm = self.arms.get(name)
        if arm is None or arm.digest == content["digest"] or content["digest"] in self.loading:
            return
        self.loading.add(content["digest"])

        def work() -> None:
            try:
                self.swap(_loaded(name, content["path"], self.store))
            except PenchantError as error:
                log.error("the artifact at %s was not taken: %s", content["path"], error)
            finally:
                self.loading.discard(content["digest"])

        threading.Thread(target=work, name=f"reload {name}", daemon=True).start()

    def swap(self, arm: Arm) -> None:
        """Put an arm in the place of that of its name; requests that run end with the old one."""
        changes = self.store.changes(0, "item")
        arm = self._brought(arm, {one.key: (one.id, one.content) for one in changes})
        arm.reranker(None, self.rules)
        with self.lock:
            self.arms = {**self.arms, arm.name: arm.stated(self.states)}

    def reload(self, name: str, path: str | Path | None = None, force: bool = False) -> Arm:
        """Take another artifact, or the same place anew, for all workers.

        Raises ArtifactError where it is broken, and ConfigError where the gate refuses it; the old
        one then goes on.
        """
        if name not in self.arms:
            raise ConfigError(f"expected an arm of {', '.join(self.arms)}, received {name!r}")
        old = self.arms[name]
        new = _loaded(name, old.path if path is None else path, self.store)
        reasons = refused(new.model, old.model, self.settings.margin)
        if reasons and not force:
            raise ConfigError(
                f"refused, the old artifact goes on: {'; '.join(reasons)}; force=true takes it "
                "all the same"
            )
        self.swap(new)
        content = {"path": str(new.path.resolve()), "digest": new.digest}
        self.follow(self.store.change("artifact", {name: content}))
        return new

    # who asks

    def arm_of(self, who: str) -> Arm:
        """The arm of a user, a session or a request: always the same one."""
        names = sorted(self.arms)
        if len(names) > 1 and uniform(hashes("arm", [who], 0))[0] < self.settings.share:
            return self.arms[names[1]]
        return self.arms[names[0]]

    def known(
        self,
        user: str | None,
        session: str | None = None,
        history: History = (),
        behavior: str | None = None,
        who: str = "",
    ) -> Known:
        """What is known of who asks, all that was answered with 200 before among it."""
        arm = self.arm_of(user or session or who)
        look = self.store.look(user, session, arm.seq)
        if look.revision > self.at:
            self.follow(look.revision)
            renewed = self.arm_of(user or session or who)
            if renewed.seq != arm.seq:
                look = self.store.look(user, session, renewed.seq)
            arm = renewed
        head = arm.head(behavior)
        consent = self._consent(arm, user, look)
        own = user if consent and user is not None and not self.erased(arm, user) else None
        given, strange = arm.history(own, look.events if consent else ())
        if history:
            added, unknown = head.histories(history)
            given = _joined(given, added)
            strange = (*strange, *unknown)
        said = look.person.controls
        if not said and own is not None:
            said = arm.model.controls.get(own, ())
        if said and user is not None and consent:
            head = head.with_controls(user, said)
        profile = look.person.profile if consent else None
        if profile is None and own is not None:
            text = arm.model.profiles.get(own)
            profile = text.text if text is not None and text.edited else None
        if profile or (own in arm.model.profiles and given.queries is None):
            words = given.queries or head.text_matcher.queries(given)
            if profile:
                words += (profile_query(profile, len(given.events), head.recipe.queries),)
            given = replace(given, queries=words)
        return Known(arm, head, given, strange, consent, said, profile or None)

    def erased(self, arm: Arm, user: str) -> bool:
        """Whether the artifact still holds a user who was forgotten since it was made."""
        return bool(self.gone) and self.gone.get(self.store.mark(user), 0) > arm.change

    def _consent(self, arm: Arm, user: str | None, look: Look) -> bool:
        if user is None:
            return True
        if look.person.consent is not None:
            return look.person.consent
        cells, row = (
            arm.model.dataset.attributes.get("consent"),
            arm.model.dataset.users.rows([user]),
        )
        return cells is None or row[0] < 0 or str(cells[row[0]]).strip().lower() not in REFUSALS


def model_of(settings: Settings) -> LanguageModel | None:
    """The language model of a service, for which no request waits long; None where none is named.

    Raises ConfigError for a file that does not describe one.
    """
    if settings.llm is None:
        return None
    from penchant.llm.client.openai_chat import chat_of

    found = chat_of(Path(settings.llm))
    return None if found is None else TimeLimited(found, settings.patience)


def _loaded(name: str, path: str | Path, store: Store) -> Arm:
    """An arm, read again where another run was put in its place meanwhile."""
    for _ in range(_TRIES - 1):
        try:
            return Arm.load(name, path, store.identity)
        except (ArtifactError, OSError):
            time.sleep(0.2)
    return Arm.load(name, path, store.identity)


def _joined(first: Histories, then: Histories) -> Histories:
    """One history, ``then`` after ``first``."""
    last = int(first.events.time.max(initial=0))
    later = replace(then.events, time=np.full(len(then.events), last))
    events = first.events + later
    queries = first.queries and tuple(
        query._replace(events_since=query.events_since + len(later)) for query in first.queries
    )
    return Histories(first.users, np.array([0, len(events)]), events, queries)
