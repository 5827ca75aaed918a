"""The service without its endpoints: models and a store as one, always up to date."""

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
from penchant.errors import ArtifactError, ConfigError, PenchantError, counted
from penchant.llm.client import LanguageModel
from penchant.llm.client.time_limit import TimeLimited
from penchant.recommendation import Model
from penchant.recommendation.interests import Control
from penchant.recommendation.rerank import Rules
from penchant.recommendation.text_search import profile_query
from penchant.serve.service.release_gate import rejection_reasons
from penchant.serve.service.variant import ItemState, Variant
from penchant.serve.settings import ServiceSettings
from penchant.serve.store.impression_log import ImpressionLog
from penchant.serve.store.records import UserSnapshot
from penchant.serve.store.store import Store
from penchant.storage.signing_key import SigningKey, load_key

log = logging.getLogger(__name__)

History = Sequence[str | tuple[str, str]]
_LOAD_ATTEMPTS = 5  # of reading a run while another is put in its place


@dataclass(frozen=True)
class RequestContext:
    """What is known about who asks.

    variant        the variant that serves them
    model          its model for the behavior that is asked for, with their interest settings
    history        their events of the run, of the store and of the request, as one history
    unknown_items  items of that history that the model does not know
    consent        whether they consent to personalization
    controls       their interest settings
    profile        their own text of their interests; None without one, and without consent
    """

    variant: Variant
    model: Model
    history: Histories
    unknown_items: tuple[str, ...]
    consent: bool
    controls: tuple[Control, ...]
    profile: str | None = None


class RecommendationService:
    """Models and a store as one: every response reflects all that the store holds."""

    def __init__(self, store: Store, settings: ServiceSettings) -> None:
        self.store, self.settings = store, settings
        self.rules = Rules.model_validate(dict(settings.rules))
        self.lock = threading.RLock()
        self.at = 0
        self.since = store.revision if settings.since is None else settings.since
        self.states: dict[str, ItemState] = {}
        self.forgotten: dict[str, int] = {}
        self.loading: set[str] = set()
        self.variants = {
            name: _load_variant(name, path, store) for name, path in settings.runs.items()
        }
        for variant in self.variants.values():
            variant.reranker(None, self.rules)
        self.log = ImpressionLog(store)
        self.llm = language_model_of(settings)
        self.follow(store.revision)

    @cached_property
    def key(self) -> SigningKey:
        """The secret key that signs receipts."""
        return load_key(self.settings.key, log.warning)

    @property
    def main(self) -> Variant:
        """The first variant."""
        return next(iter(self.variants.values()))

    def close(self) -> None:
        """Write the impressions that wait and close the store."""
        self.log.close()
        self.store.close()

    # following the store

    def follow(self, revision: int) -> None:
        """Apply all changes of the store up to a number."""
        if revision <= self.at:
            return
        with self.lock:
            if revision <= self.at:
                return
            items: dict[str, tuple[int, Mapping[str, Any]]] = {}
            artifacts: dict[str, Mapping[str, Any]] = {}
            for change in self.store.changes(self.at):
                if change.kind == "item":
                    items[change.key] = change.id, change.content
                elif change.kind == "state":
                    self.states = {**self.states, change.key: change.content}
                elif change.kind == "forgotten":
                    self.forgotten = {**self.forgotten, change.key: change.id}
                elif change.id > self.since:
                    artifacts[change.key] = change.content
                self.at = change.id
            self.variants = {
                name: self._with_new_items(variant, items).with_states(self.states)
                for name, variant in self.variants.items()
            }
        for name, content in artifacts.items():
            self._swap_later(name, content)

    def _with_new_items(
        self, variant: Variant, items: Mapping[str, tuple[int, Mapping[str, Any]]]
    ) -> Variant:
        """The variant with the items (change, columns) that its run does not contain yet."""
        new = [{"item": key, **row} for key, (at, row) in items.items() if at > variant.change]
        if not new:
            return variant
        try:
            return variant.with_items(new)
        except PenchantError as error:
            number = counted(len(new), "new item")
            log.error("variant %s continues without %s: %s", variant.name, number, error)
            return variant

    def _swap_later(self, name: str, content: Mapping[str, Any]) -> None:
        """Load another artifact in the background and put it in the variant's place."""
        variant, digest = self.variants.get(name), content["digest"]
        if variant is None or variant.digest == digest or digest in self.loading:
            return
        self.loading.add(digest)

        def work() -> None:
            try:
                self.swap(_load_variant(name, content["path"], self.store))
            except PenchantError as error:
                log.error("the artifact at %s was not loaded: %s", content["path"], error)
            finally:
                self.loading.discard(digest)

        threading.Thread(target=work, name=f"reload {name}", daemon=True).start()

    def swap(self, variant: Variant) -> None:
        """Replace the variant of the same name; running requests finish with the old one."""
        changes = self.store.changes(0, "item")
        items = {change.key: (change.id, change.content) for change in changes}
        variant = self._with_new_items(variant, items)
        variant.reranker(None, self.rules)
        with self.lock:
            self.variants = {**self.variants, variant.name: variant.with_states(self.states)}

    def reload(self, name: str, path: str | Path | None = None, force: bool = False) -> Variant:
        """Serve another artifact, or the same place read again, on all workers.

        Raises
        ------
        ArtifactError
            Where the artifact is damaged. The old one stays in service.
        ConfigError
            For an unknown variant, and where the release gate rejects the artifact.
        """
        if name not in self.variants:
            raise ConfigError(
                f"expected a variant of {', '.join(self.variants)}, received {name!r}"
            )
        old = self.variants[name]
        new = _load_variant(name, old.path if path is None else path, self.store)
        reasons = rejection_reasons(new.model, old.model, self.settings.margin)
        if reasons and not force:
            raise ConfigError(
                f"the artifact was rejected and the old one stays in service: "
                f"{'; '.join(reasons)}; force=true serves it anyway"
            )
        self.swap(new)
        content = {"path": str(new.path.resolve()), "digest": new.digest}
        self.follow(self.store.publish("artifact", {name: content}))
        return new

    # who asks

    def variant_of(self, who: str) -> Variant:
        """The variant of a user, a session or a request: always the same one."""
        names = sorted(self.variants)
        # the salt is that of 0.1.0, so that everyone keeps their variant
        if len(names) > 1 and uniform(hashes("arm", [who], 0))[0] < self.settings.share:
            return self.variants[names[1]]
        return self.variants[names[0]]

    def context(
        self,
        user: str | None,
        session: str | None = None,
        history: History = (),
        behavior: str | None = None,
        request: str = "",
    ) -> RequestContext:
        """What is known about who asks, including all that was answered with 200 before."""
        who = user or session or request
        variant = self.variant_of(who)
        snapshot = self.store.snapshot(user, session, variant.seq)
        if snapshot.revision > self.at:
            self.follow(snapshot.revision)
            renewed = self.variant_of(who)
            if renewed.seq != variant.seq:
                snapshot = self.store.snapshot(user, session, renewed.seq)
            variant = renewed
        model = variant.model_for(behavior)
        consent = self._consent(variant, user, snapshot)
        known = user if consent and user is not None and not self.erased(variant, user) else None
        past, unknown_items = variant.history(known, snapshot.events if consent else ())
        if history:
            added, unknown = model.histories(history)
            past = _concatenated(past, added)
            unknown_items = (*unknown_items, *unknown)
        controls = snapshot.preferences.controls
        if not controls and known is not None:
            controls = variant.model.controls.get(known, ())
        if controls and user is not None and consent:
            model = model.with_controls(user, controls)
        profile = snapshot.preferences.profile if consent else None
        if profile is None and known is not None:
            text = variant.model.profiles.get(known)
            profile = text.text if text is not None and text.edited else None
        if profile or (known in variant.model.profiles and past.queries is None):
            queries = past.queries or model.text_matcher.queries(past)
            if profile:
                queries += (profile_query(profile, len(past.events), model.recipe.queries),)
            past = replace(past, queries=queries)
        return RequestContext(
            variant, model, past, unknown_items, consent, controls, profile or None
        )

    def erased(self, variant: Variant, user: str) -> bool:
        """Whether a user was forgotten since the artifact of a variant was made."""
        if not self.forgotten:
            return False
        return self.forgotten.get(self.store.mark(user), 0) > variant.change

    def _consent(self, variant: Variant, user: str | None, snapshot: UserSnapshot) -> bool:
        if user is None:
            return True
        if snapshot.preferences.consent is not None:
            return snapshot.preferences.consent
        data = variant.model.dataset
        cells, row = data.attributes.get("consent"), data.users.rows([user])
        return cells is None or row[0] < 0 or str(cells[row[0]]).strip().lower() not in REFUSALS


def language_model_of(settings: ServiceSettings) -> LanguageModel | None:
    """The language model of a service, for which no request waits long; None without one.

    Raises ConfigError for a file that does not describe one.
    """
    if settings.llm is None:
        return None
    from penchant.llm.client.openai_chat import chat_of

    model = chat_of(Path(settings.llm))
    return None if model is None else TimeLimited(model, settings.patience)


def _load_variant(name: str, path: str | Path, store: Store) -> Variant:
    """A variant, read again where another run was put in its place meanwhile."""
    for _ in range(_LOAD_ATTEMPTS - 1):
        try:
            return Variant.load(name, path, store.identity)
        except (ArtifactError, OSError):
            time.sleep(0.2)
    return Variant.load(name, path, store.identity)


def _concatenated(first: Histories, then: Histories) -> Histories:
    """One history, ``then`` after ``first``."""
    last = int(first.events.time.max(initial=0))
    later = replace(then.events, time=np.full(len(then.events), last))
    events = first.events + later
    queries = first.queries and tuple(
        query._replace(events_since=query.events_since + len(later)) for query in first.queries
    )
    return Histories(first.users, np.array([0, len(events)]), events, queries)
