"""The one list builder: ranking, rules, names and reasons of one request."""

from dataclasses import replace

from penchant.data.dataset import Histories
from penchant.data.text_query import TextQuery
from penchant.recommendation.explain import with_reasons
from penchant.recommendation.fitted import FittedModel
from penchant.recommendation.ranking import name_list, rank
from penchant.recommendation.request import ListRequest
from penchant.recommendation.rerank import Reranker
from penchant.recommendation.results import Recommendation


def build_list(
    model: FittedModel,
    histories: Histories,
    request: ListRequest,
    reranker: Reranker | None = None,
) -> Recommendation:
    """The list of one history.

    Parameters
    ----------
    model
        The model.
    histories
        One history.
    request
        What the list is to be.
    reranker
        What applies the rules of the request, where it is at hand.

    Returns
    -------
    Recommendation
        A ``Reranked`` where the request has rules.

    Raises
    ------
    ConfigError
        For an unknown domain or behavior, and as ``Reranker`` and ``with_reasons`` do.
    """
    head = model.with_target(request.behavior)
    if request.query is not None:
        histories = replace(histories, queries=(TextQuery(request.query, 0, 0, 1.0),))
    recommendation: Recommendation
    if request.rules is None:
        recommendation = name_list(head, rank(head, histories, request), request)
    else:
        reranker = Reranker(head, request.rules) if reranker is None else reranker
        recommendation = reranker(histories, request)
    return with_reasons(head, recommendation, histories) if request.explain else recommendation
