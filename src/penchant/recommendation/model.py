"""A fitted model with its data: it recommends, finds similar items, saves and loads."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from penchant.data.arrays import blocks
from penchant.models.topk import CELLS, top_k
from penchant.recommendation.explain import Explanation, explain
from penchant.recommendation.fitted import FittedModel, HistoryLike
from penchant.recommendation.lists import build_list
from penchant.recommendation.question import Question, parse_question
from penchant.recommendation.ranking import rank
from penchant.recommendation.request import InterestShares, ListRequest, Similarity
from penchant.recommendation.results import Recommendation, RecommendationBatch, ScoredItem
from penchant.recommendation.rules import Rules, RulesLike
from penchant.recommendation.run_files import SavedRun, save


@dataclass(frozen=True, repr=False)
class Model(FittedModel):
    """A fitted recommender with its data. Immutable: what changes it returns another one.

    ``penchant.fit`` makes one, ``penchant.load`` reads a saved one.

    Parameters
    ----------
    dataset
        The users, items and events that it serves.
    recommender
        What scores the items for the target behavior.
    recipe
        The settings of the fit.
    report
        What the fit found: trials, the evaluation on held-out events, notes.
    calibrations
        What makes probabilities of scores, by behavior.
    others
        What scores the items for further behaviors, by name.
    controls
        Which interests users have muted or boosted, by user.
    holdout_model
        Of a fusion, its sequence model without the held-out events, with which weights and
        calibrations are fitted again when a user is forgotten.
    profiles
        Users' interests as texts, by user.

    Examples
    --------
    >>> from penchant import fit, from_columns
    >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
    >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
    >>> model
    Model(transition, 2 users, 2 items)
    >>> model.recommend("bo")
    Recommendation('bo', transition, 1 item: cup)
    """

    def recommend(
        self,
        user: str | None = None,
        *,
        history: HistoryLike | None = None,
        k: int = 10,
        domain: str | None = None,
        behavior: str | None = None,
        repeats: bool | None = None,
        query: str | None = None,
        rules: RulesLike | None = None,
        request_id: str = "",
        interests: InterestShares | None = None,
        similarity: Similarity | None = None,
        explain: bool = False,
    ) -> Recommendation:
        """List the best items for a known user, or for a history of items.

        Items of the history are left out unless ``repeats``. An unknown user or an empty history
        gets the popular items, and the source of the list says so.

        Parameters
        ----------
        user
            A user by identifier.
        history
            In place of a user: items, or pairs of item and behavior, the oldest first. Without a
            behavior it is the target behavior.
        rules
            Filters, diversity, quotas, caps and exploration: ``Rules``, a mapping of their settings
            or the path of a file of them.
        k, domain
            How many items, at least 1, and of which domain; default: of all.
        behavior
            What the list predicts, such as "view"; default: the target of the run.
        repeats
            Whether items of the history may be listed; default: as the rules and the recipe say.
        query
            A text that the whole list is to fit.
        explain
            Whether each item comes with its reasons and a sentence.
        request_id, interests, similarity
            What the rules work with, in place of what the model finds; see ``ListRequest``.

        Returns
        -------
        Recommendation
            The list; with ``rules`` a ``Reranked``, which says what each of them removed.

        Raises
        ------
        ConfigError
            For an unknown domain, behavior, rule or column, a k below 1, a quota in a run that
            finds no interests, places to explore past the list, and reasons of a run that has none.
        DataError
            For interests or similarities of another shape.

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
        >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
        >>> [row.item for row in model.recommend("bo", k=1).items]
        ['cup']
        >>> model.recommend("bo", k=1, rules={"deny": ["cup"]}).short
        True
        """
        histories, unknown = self.history_of(user, history)
        request = ListRequest(
            k=k,
            user=user,
            behavior=behavior,
            domain=domain,
            repeats=repeats,
            query=query,
            rules=None if rules is None else Rules.of(rules),
            request_id=request_id,
            interests=interests,
            similarity=similarity,
            explain=explain,
        )
        return replace(build_list(self, histories, request), unknown=unknown)

    def ask(
        self,
        question: str | Question,
        user: str | None = None,
        *,
        history: HistoryLike | None = None,
        k: int = 10,
        domain: str | None = None,
        behavior: str | None = None,
        rules: RulesLike | None = None,
    ) -> Recommendation:
        """List what fits a question in a person's own words, what suits the user first.

        Parameters
        ----------
        question
            A text such as "something lighter for tonight, not horror", which is parsed by its
            negations, or a ``Question`` that is parsed already.
        user, history
            Who asks, as in ``recommend``; default: a person of whom nothing is known.
        k, domain, behavior, rules
            See ``recommend``.

        Returns
        -------
        Recommendation
            The items that fit; those of the question have the source "asked".

        Raises
        ------
        ConfigError
            For a question without a word, and as ``recommend`` does.

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
        >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
        >>> [row.item for row in model.ask("a cup", user="bo", k=1).items]
        ['cup']
        """
        history = () if user is None and history is None else history
        histories, unknown = self.history_of(user, history)
        if isinstance(question, str):
            question = parse_question(question, self.dataset.catalogue)
        own = None if rules is None else Rules.of(rules)
        request = ListRequest(k=k, user=user, behavior=behavior, domain=domain, rules=own)
        histories = question.applied_to(histories)
        return replace(build_list(self, histories, question.narrowed(request)), unknown=unknown)

    def similar(self, item: str, k: int = 10) -> tuple[ScoredItem, ...]:
        """List the items most like one, by the cosine of their columns of B (P, N).

        Two items are alike when the same histories lead to both. A model without a transition
        expert answers with what it would recommend after that item alone.

        Parameters
        ----------
        item
            An item by identifier.
        k
            How many items, at least 1.

        Returns
        -------
        tuple of ScoredItem
            At most k items, the most alike first; the item itself is none of them.

        Raises
        ------
        ConfigError
            For an unknown item, and for a k below 1.

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> columns = {"user": ["a", "a", "b", "b"], "item": ["cup", "tea", "cup", "pot"]}
        >>> model = fit(from_columns(**columns, timestamp=[1, 2, 3, 4]), model="transition")
        >>> [row.item for row in model.similar("tea", k=1)]
        ['pot']
        """
        ListRequest(k=k)  # checks k
        catalogue = self.dataset.catalogue
        row = int(catalogue.items.rows([item])[0])
        if row < 0:
            raise self.dataset.unknown_item(item)
        if self.transition is not None:
            scores = self.transition.likeness(row)[None]
        else:
            scores = self.recommender.score(self.histories([item])[0])
        scores[0, row] = -np.inf
        best = top_k(scores, k)
        return tuple(
            ScoredItem(catalogue.items.ids[i], float(score), catalogue.title(i), self.family)
            for i, score in zip(best.items[0], best.scores[0], strict=True)
            if i >= 0 and score > 0
        )

    def explain(
        self,
        item: str,
        *,
        user: str | None = None,
        history: HistoryLike | None = None,
    ) -> Explanation:
        """Say why an item has its score for a user, or for a history of items.

        Parameters
        ----------
        item
            An item by identifier.
        user, history
            As in ``recommend``.

        Returns
        -------
        Explanation
            The score as an exact sum over past events and over interests, or, of other models than
            the transition expert, what it loses without each event; and a sentence.

        Raises
        ------
        ConfigError
            For an unknown item, and unless there is one of a user and a history.

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
        >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
        >>> model.explain("cup", user="bo").reasons[0].about
        'tea'
        """
        return explain(self, item, user=user, history=history)

    def recommend_all(
        self,
        k: int = 10,
        *,
        domain: str | None = None,
        behavior: str | None = None,
        repeats: bool | None = None,
    ) -> Iterator[RecommendationBatch]:
        """List the best items of all known users in blocks.

        Parameters
        ----------
        k
            Items of each list, at least 1.
        domain, behavior, repeats
            As in ``recommend``.

        Yields
        ------
        RecommendationBatch
            Lists (B, k) of B users, by row.

        Raises
        ------
        ConfigError
            For an unknown domain or behavior, and a k below 1.

        Examples
        --------
        >>> from penchant import fit, from_columns
        >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
        >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
        >>> [batch.items.shape for batch in model.recommend_all(k=1)]
        [(2, 1)]
        """
        request = ListRequest(k=k, domain=domain, repeats=repeats)
        head = self.with_target(behavior)
        size = max(1, CELLS // max(1, len(self.dataset.catalogue)))
        for part in blocks(len(self.dataset.users), size):
            users = np.arange(part.start, part.stop)
            yield rank(head, self.dataset.events.histories(users), request)

    def save(self, path: str | Path) -> Path:
        """Write the model as a run: data, arrays and a manifest with a checksum of every file.

        Parameters
        ----------
        path
            A folder; a saved run that is there is replaced once the new one is whole.

        Returns
        -------
        Path
            The folder, for ``penchant.load``.

        Raises
        ------
        ArtifactError
            Where something that is no run stands there.

        Examples
        --------
        >>> from tempfile import TemporaryDirectory
        >>> from penchant import fit, from_columns, load
        >>> events = {"user": ["ann", "ann", "bo"], "item": ["tea", "cup", "tea"]}
        >>> model = fit(from_columns(**events, timestamp=[1, 2, 3]), model="transition")
        >>> with TemporaryDirectory() as folder:
        ...     load(model.save(f"{folder}/run"))
        Model(transition, 2 users, 2 items)
        """
        return save(SavedRun.of(self), path)
