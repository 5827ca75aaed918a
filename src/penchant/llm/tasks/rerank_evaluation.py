"""Whether re-ranking by a language model pays: measured on events that the model never saw."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from penchant.data.arrays import blocks
from penchant.data.dataset import Dataset, Histories
from penchant.data.splitting.cases import Cases
from penchant.data.splitting.split import split
from penchant.errors import ConfigError, DataError, LanguageModelError
from penchant.evaluation import metrics
from penchant.evaluation.evaluate import Evaluation
from penchant.evaluation.fit_report import FitReport, RerankReport
from penchant.llm.client import LanguageModel, Usage
from penchant.llm.tasks.rerank import LanguageReranker, NewOrder, ReorderSettings
from penchant.models.topk import CELLS, mask_other_domains, mask_seen
from penchant.privacy.erasure.refit import holdout_model_of
from penchant.recommendation import Model
from penchant.recommendation.ranking import list_items, score_histories
from penchant.storage import artifact
from penchant.types import Ints, Progress

FEWEST = 30
"""Cases below which no win is declared, whatever their interval."""

K = 10
_AT_ONCE = 4  # prompts under way; the client may allow fewer
_IN_A_ROW = 5  # failures after which nothing more is asked


def judge_run(
    model: Model,
    llm: LanguageModel,
    settings: ReorderSettings | None = None,
    *,
    users: int = 300,
    seed: int = 0,
    progress: Progress | None = None,
) -> RerankReport:
    """NDCG@10 and recall@10 with re-ranking and without, on the same cases.

    A holdout model with the run's settings is made as the fit did, and lists what
    the run would; cases are test cases of at most ``users`` users with fewer than
    ``settings.below`` events and at least one, drawn by a hash. Where the data has fewer than
    FEWEST such users, others stand in: their histories are cut to the latest ``below`` - 1 events,
    and what came before is kept out of their lists all the same. ``wins`` is true where the
    paired difference of NDCG@10 has its whole 95 % interval above 0, on FEWEST cases or more. A
    case whose reply fails has the recommender's order.

    Raises ConfigError for a private run, and for a fusion that was saved without its holdout model;
    DataError where no event can be held out; LanguageModelError where replies fail five times in a
    row.
    """
    settings, say = settings or ReorderSettings(), progress or (lambda text: None)
    recipe, data = model.recipe, model.dataset
    if model.report.privacy is not None:
        raise ConfigError(
            "expected a run without a privacy budget, received a private one: it holds no case out"
        )
    if model.recommender.experts and model.holdout_model is None:
        raise ConfigError(
            "expected a fusion with the holdout model that evaluated it, received one without; fit "
            "the run again"
        )
    parts = split(data, seed=recipe.seed)
    cases, histories = choose_cases(parts.test, data, settings.below, users, seed)
    say(f"fitting a holdout model without the {len(parts.test.histories):,} test cases")
    train = data.with_events(parts.train)
    holdout_model = Model(train, holdout_model_of(model, train), recipe)
    before = rank_cases(holdout_model, cases, histories, max(settings.pool, K))
    spent = llm.spent
    replies = _asked(LanguageReranker(llm, settings), holdout_model, histories, before, say)
    cost = {of.name: getattr(llm.spent, of.name) - getattr(spent, of.name) for of in fields(Usage)}
    after = before.copy()
    for row, reply in enumerate(replies):
        after[row, : len(reply.places)] = before[row, list(reply.places)]
    without, reranked = _measured(before, cases, seed), _measured(after, cases, seed)
    less = {name: reranked.minus(without, name) for name in without.cases}
    first = less[f"ndcg@{K}"]
    count = len(histories)
    return RerankReport(
        wins=bool(first.low > 0 and count >= FEWEST),
        difference=first.value,
        low=first.low,
        high=first.high,
        model=llm.name,
        behavior=data.target,
        settings=settings.model_dump(),
        protocol=parts.protocol,
        cases=count,
        shortened=histories is not cases.histories,
        seed=seed,
        without=without.metrics,
        reranked=reranked.metrics,
        less=less,
        failed=sum(reply.failed is not None for reply in replies),
        invented=sum(reply.invented for reply in replies),
        repeated=sum(reply.repeated for reply in replies),
        left_out=sum(reply.left_out for reply in replies),
        cost=cost,
    )


def save_outcome(path: str | Path, outcome: RerankReport) -> None:
    """Write what ``judge_run`` found into a saved run: with a win, its lists are re-ranked."""
    report = FitReport.from_dict(artifact.read_manifest(path)["info"])
    artifact.update_manifest(path, {"info": replace(report, reorder=outcome).to_dict()})


def choose_cases(
    test: Cases, data: Dataset, below: int, users: int, seed: int
) -> tuple[Cases, Histories]:
    """Cases to ask, and what the model is shown of their histories: see ``judge_run``.

    Raises DataError where no case has a history.
    """
    lengths = test.histories.lengths
    few = np.flatnonzero((lengths > 0) & (lengths < below))
    cases = test.take(few).sample(data.users.ids, users, seed)
    if len(cases.histories) >= min(FEWEST, users):
        return cases, cases.histories
    cases = test.sample(data.users.ids, users, seed)
    if not len(cases.histories):
        raise DataError(
            f"expected test cases with a history, received none of {len(lengths)} in "
            f"{data.name!r}; give more events to each user"
        )
    histories = cases.histories
    since = histories.indptr[1:][histories.owner] - np.arange(len(histories.events))
    return cases, histories.keep(since < below)


def rank_cases(holdout_model: Model, cases: Cases, histories: Histories, k: int) -> Ints:
    """The k best items after each history, (B, k), -1 as padding; B histories of the cases.

    What is in the whole history of a case is left out, unless the run repeats.
    """
    size = max(1, CELLS // max(1, len(holdout_model.dataset.catalogue)))
    lists = [np.zeros((0, k), np.int64)]
    for part in blocks(len(histories), size):
        whole = cases.histories.take(part)
        scored = score_histories(holdout_model, histories.take(part))
        mask_seen(scored.scores, whole, None if holdout_model.recipe.repeats else whole.events.item)
        mask_other_domains(scored.scores, holdout_model.dataset.catalogue, cases.domain[part])
        lists.append(list_items(holdout_model, scored, k).items)
    return np.concatenate(lists)


def _asked(
    reorder: LanguageReranker,
    holdout_model: Model,
    histories: Histories,
    lists: Ints,
    progress: Progress,
) -> list[NewOrder]:
    """What the model makes of each list; LanguageModelError where it fails again and again."""

    def one(row: int) -> NewOrder:
        best = lists[row, : reorder.settings.pool]
        return reorder(holdout_model, histories.take(np.array([row])), best[best >= 0])

    replies: list[NewOrder] = []
    total = len(histories)
    with ThreadPoolExecutor(_AT_ONCE) as workers:
        while len(replies) < total:
            step = range(len(replies), min(len(replies) + _AT_ONCE, total))
            replies += workers.map(one, step)
            failing = _failing(replies)
            if failing >= _IN_A_ROW:
                raise LanguageModelError(
                    f"the last {failing} of {len(replies)} replies failed, so nothing is "
                    f"measured and the run stays as it is: {replies[-1].failed}"
                )
            if len(replies) // 20 != (len(replies) - len(step)) // 20 or len(replies) == total:
                progress(f"asked for {len(replies):,} of {total:,} lists")
    return replies


def _failing(replies: Sequence[NewOrder]) -> int:
    """How many replies failed since the last that did not."""
    good = [at for at, reply in enumerate(replies) if reply.failed is None]
    return len(replies) - 1 - (good[-1] if good else -1)


def _measured(lists: Ints, cases: Cases, seed: int) -> Evaluation:
    truth, indptr = metrics.distinct_truths(cases.truth, cases.indptr)
    ranks = metrics.list_ranks(lists, truth, indptr)
    found = {f"{name}@{K}": metrics.AT_K[name](ranks, K, indptr) for name in ("ndcg", "recall")}
    return Evaluation(found, {}, cases.histories.users, lists, 0.0, seed)
