"""A fitted model with its data: it recommends, finds similar items, saves and loads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from penchant import __version__, artifact
from penchant.config import Recipe, TransitionSettings, parse
from penchant.data import store
from penchant.data.dataset import Dataset, Events, Histories, Ints, blocks
from penchant.data.people import described_users
from penchant.errors import ArtifactError, ConfigError, DataError, unknown
from penchant.evaluate import CELLS, mask, outside, top
from penchant.listing import POPULAR, Block, Ranked, Recommendation
from penchant.models.base import Family, Recommender, over, under
from penchant.models.baselines import BASELINES
from penchant.models.calibration import LISTED, Calibration
from penchant.models.fusion import FUSION, Fusion, asked_for, expert_of
from penchant.models.kernels import Rows, content_rows, unit_rows
from penchant.models.sequence import SEQUENCE
from penchant.models.transition import TRANSITION, Transition, restore

FAMILIES: dict[str, Family] = {
    **BASELINES,
    **{family.name: family for family in (TRANSITION, SEQUENCE, FUSION)},
}
CALIBRATION = "calibration"
OTHERS = "behavior"
WEIGHTS = "weights of"
_UNSCORED = -np.finfo(np.float64).max  # an item without a score comes after all that have one


@dataclass(frozen=True)
class Model:
    """A recommender with the dataset it serves. Immutable: an update makes another one.

    info         what the fit found, as JSON types: trials, evaluation of the twin, notes
    calibrations make probabilities of scores, by behaviour; none where too few events were held
                 out to fit one on
    others       what serves the behaviours besides the target, by name
    """

    dataset: Dataset
    recommender: Recommender
    recipe: Recipe = field(default_factory=Recipe)
    info: dict[str, Any] = field(default_factory=dict)
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    others: Mapping[str, Recommender] = field(default_factory=dict)

    def aimed(self, behavior: str | None) -> "Model":
        """The model that predicts another behaviour; ConfigError where the run has none for it."""
        if behavior is None or behavior == self.dataset.target:
            return self
        self.dataset.catalogue.behavior(behavior)
        if behavior not in self.others:
            served = ", ".join(map(repr, (self.dataset.target, *self.others)))
            raise ConfigError(
                f"this run recommends for {served}, received {behavior!r}; fit another with --set "
                f"target={behavior}"
            )
        data, one = self.dataset.aimed(behavior), self.others[behavior]
        return replace(self, dataset=data, recommender=one, others={})

    @property
    def calibration(self) -> Calibration | None:
        """What makes probabilities of the target's scores; None where there is nothing to."""
        return self.calibrations.get(self.dataset.target)

    @property
    def family(self) -> str:
        return self.recommender.name

    @property
    def settings(self) -> Any:
        return self.recommender.settings

    @property
    def transition(self) -> Transition | None:
        """The closed-form expert, alone or within the fusion; None where there is none."""
        return expert_of(self.recommender)

    @cached_property
    def popularity(self) -> Ints:
        """Events of the target behaviour on each item, (N,)."""
        return self.dataset.counts()

    @cached_property
    def by_popularity(self) -> Ints:
        """Item rows from the most popular down; ties to the lower row, (N,)."""
        return np.argsort(-self.popularity, kind="stable")

    def recommend(
        self,
        user: str | None = None,
        *,
        history: Sequence[str | tuple[str, str]] | None = None,
        k: int = 10,
        domain: str | None = None,
        behavior: str | None = None,
        repeats: bool | None = None,
    ) -> Recommendation:
        """The k best items for a known user, or for a history of items, oldest first.

        An event of the history is an item or an (item, behavior); without a behavior it is one of
        the target behavior. Items that were seen are left out unless ``repeats``. An unknown user
        or an empty history gets the popular items, and says so.

        Raises ConfigError for a domain or behavior that is not known, and for a k below 1.
        """
        if (user is None) == (history is None):
            raise ConfigError("expected a user or a history, one of the two")
        self._check(k)
        head = self.aimed(behavior)
        given, strange = self.histories(history or [])
        if user is not None:
            given = self.dataset.history(user)
        domains = np.array([-1 if domain is None else self.dataset.catalogue.domain_row(domain)])
        found = head.ranked(given, k, domains, self._shut(given, repeats))
        rows = head.named(found)
        source = self.family if any(row.source != POPULAR for row in rows) else POPULAR
        return Recommendation(user, source, rows, len(rows) < k, strange)

    def recommend_all(
        self,
        k: int = 10,
        *,
        domain: str | None = None,
        behavior: str | None = None,
        repeats: bool | None = None,
    ) -> Iterator[Block]:
        """Lists of all known users, in blocks, so that memory does not grow with their number."""
        self._check(k)
        head = self.aimed(behavior)
        row = -1 if domain is None else self.dataset.catalogue.domain_row(domain)
        size = max(1, CELLS // max(1, len(self.dataset.catalogue)))
        for part in blocks(len(self.dataset.users), size):
            users = np.arange(part.start, part.stop)
            histories = self.dataset.events.histories(users)
            hidden = self._shut(histories, repeats)
            yield head.ranked(histories, k, np.full(len(users), row), hidden)

    def similar(self, item: str, k: int = 10) -> tuple[Ranked, ...]:
        """The k items most like one: by the cosine of their columns of B, where there is one.

        Two items are alike when the same pasts lead to both. Other families answer with what
        they would recommend after that item alone.

        Raises ConfigError for an item that is not known.
        """
        self._check(k)
        catalogue = self.dataset.catalogue
        row = int(catalogue.items.rows([item])[0])
        if row < 0:
            raise unknown_item(item, self.dataset)
        if self.transition is not None:
            scores = self.transition.likeness(row)[None]
        else:
            scores = self.recommender.score(self.histories([item])[0])
        scores[0, row] = -np.inf
        found = top(scores, k)
        return tuple(
            Ranked(catalogue.items.ids[i], float(score), catalogue.title(i), self.family)
            for i, score in zip(found.items[0], found.scores[0], strict=True)
            if i >= 0 and score > 0
        )

    def histories(
        self, history: Sequence[str | tuple[str, str]]
    ) -> tuple[Histories, tuple[str, ...]]:
        """A history of items as arrays, and those of its items that are not known."""
        if isinstance(history, str):
            raise DataError(f"expected a history as a list of items, received the text {history!r}")
        catalogue = self.dataset.catalogue
        pairs = [(e, self.dataset.target) if isinstance(e, str) else e for e in history]
        rows = catalogue.items.rows(item for item, _ in pairs)
        behavior = np.array([catalogue.behavior(name) for _, name in pairs], np.int64)
        known = rows >= 0
        size = int(known.sum())
        place = np.arange(size)
        events = Events(
            np.full(size, -1),
            rows[known],
            np.full(size, -1),
            behavior[known],
            catalogue.domain[rows[known]],
            place,
            np.full(size, np.nan),
            place,
        )
        strange = tuple(
            item for (item, _), there in zip(pairs, known.tolist(), strict=True) if not there
        )
        return Histories(np.array([-1]), np.array([0, size]), events), strange

    def save(self, path: str | Path) -> Path:
        """Write the run: data, arrays and a manifest that vouches for each byte."""
        heads = {name: self.aimed(name).transition for name in self.others}
        own = {n: e for n, e in heads.items() if e is not None and e is not self.transition}
        manifest = {
            "penchant": __version__,
            "family": self.family,
            "settings": self.settings.model_dump(),
            "others": {n: own[n].settings.model_dump() if n in own else None for n in heads},
            "recipe": self.recipe.model_dump(),
            "info": self.info,
        }
        with artifact.writing(path, manifest) as folder:
            store.save(self.dataset, folder / "data")
            arrays = dict(self.recommender.arrays())
            for name, of in self.calibrations.items():
                arrays[f"{CALIBRATION}/{name}"] = np.append(of.weights, of.bias)
            for name, expert in own.items():
                arrays |= over(expert.arrays(), f"{OTHERS}/{name}/")
            for name, other in self.others.items():
                if isinstance(other, Fusion):
                    arrays[f"{WEIGHTS}/{name}"] = other.weights
            artifact.save_arrays(folder / "arrays.safetensors", arrays)
        return Path(path)

    def ranked(self, histories: Histories, k: int, domain: Ints, hidden: Ints | None) -> Block:
        """The k best items of each history; with k = N all that can be listed, best first.

        ``domain`` (B,) is a row of the domains, -1 for all of them. ``hidden`` (E,) is, for each
        event, the item that it keeps out of its history's list, -1 for none. Items without a score
        follow those that have one, the more popular first.
        """
        scores = self.recommender.score(histories)
        scores[scores == -np.inf] = _UNSCORED
        strangers = histories.lengths == 0
        if self.transition is not None:
            strangers &= np.diff(self.transition.beside(histories).indptr) == 0
        scores[strangers] = _UNSCORED
        mask(scores, histories, hidden)
        best = None if self.calibration is None else top(scores, LISTED)
        outside(scores, self.dataset.catalogue, domain)
        order = self.by_popularity  # among equal scores the more popular comes first
        found = top(scores[:, order], k)
        items = np.where(found.items >= 0, order[found.items], -1)
        popular = (found.scores == _UNSCORED) & (items >= 0)
        share = self.popularity[items] / max(1, self.popularity.sum())
        probability = np.full(items.shape, np.nan)
        if self.calibration is not None and best is not None:
            listed = np.where(best.scores == _UNSCORED, -np.inf, best.scores)
            r = self.calibration.probabilities(listed, histories.lengths)
            case, place, among = np.nonzero(items[:, :, None] == best.items[:, None, :])
            probability[case, place] = r[case, among]
            probability[items < 0] = np.nan
        values = np.where(popular, share, found.scores)
        return Block(histories.users, items, values, popular, probability)

    def named(self, found: Block, case: int = 0) -> tuple[Ranked, ...]:
        """One list of a block, its items by name."""
        catalogue = self.dataset.catalogue
        columns = (found.items, found.scores, found.popular, found.probability)
        return tuple(
            Ranked(
                catalogue.items.ids[item],
                float(score),
                catalogue.title(item),
                POPULAR if popular else self.family,
                None if np.isnan(probability) else float(probability),
            )
            for item, score, popular, probability in zip(*(c[case] for c in columns), strict=True)
            if item >= 0
        )

    @cached_property
    def content(self) -> dict[str, Rows]:
        """Unit rows of the items for each modality, (N, D) float64, sparse or dense."""
        if isinstance(self.recommender, Fusion):
            return self.recommender.context.content
        rows = content_rows(self.dataset.catalogue)
        return {name: unit_rows(of).astype(np.float64) for name, of in rows.items()}

    def _shut(self, histories: Histories, repeats: bool | None) -> Ints | None:
        repeats = self.recipe.repeats if repeats is None else repeats
        return None if repeats else histories.events.item

    def _check(self, k: int) -> None:
        if k < 1:
            raise ConfigError(f"expected k of at least 1, received {k}")


def load(path: str | Path) -> Model:
    """A saved model. Raises ArtifactError where a byte of it has changed."""
    manifest = artifact.read_manifest(path)
    path = Path(path)
    if manifest["family"] not in FAMILIES:
        raise ArtifactError(f"{path}: expected a known family, received {manifest['family']!r}")
    family = FAMILIES[manifest["family"]]
    settings = parse(family.settings, manifest["settings"], str(path))
    recipe = parse(Recipe, manifest["recipe"], str(path))
    dataset, _ = described_users(store.load(path / "data"), recipe.users)
    arrays = artifact.load_arrays(path / "arrays.safetensors")
    calibrations = {
        name: Calibration(flat[:-1], float(flat[-1]))
        for name, flat in under(arrays, f"{CALIBRATION}/").items()
    }
    weights = under(arrays, f"{WEIGHTS}/")
    recommender = family.restore(arrays, dataset, settings)

    def other(name: str, content: dict[str, Any] | None) -> Recommender:
        aimed = dataset.aimed(name)

        def solved(expert: Transition) -> Transition:
            if content is None:
                return expert
            chosen = parse(TransitionSettings, content, str(path))
            return restore(under(arrays, f"{OTHERS}/{name}/"), aimed, chosen)

        return asked_for(recommender, aimed, solved, weights.get(name))

    others = {name: other(name, content) for name, content in manifest["others"].items()}
    return Model(dataset, recommender, recipe, manifest["info"], calibrations, others)


def family_of(name: str) -> Family:
    """A family by name; ConfigError lists the known ones."""
    if name not in FAMILIES:
        raise unknown("model", name, FAMILIES)
    return FAMILIES[name]


def unknown_item(item: str, dataset: Dataset) -> ConfigError:
    """The error for an item that the catalogue does not hold."""
    return ConfigError(
        f"unknown item {item!r}: {dataset.name} holds {len(dataset.catalogue)} items, such as "
        f"{', '.join(map(repr, dataset.catalogue.items.ids[:3]))}"
    )


def interval_dict(metrics: dict[str, Any]) -> dict[str, dict[str, float | None]]:
    """Intervals as JSON types; a bound that is not known is null."""
    return {
        name: {key: None if np.isnan(v) else v for key, v in interval._asdict().items()}
        for name, interval in metrics.items()
    }
