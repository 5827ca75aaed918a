"""Enriching: each item of a DATA directory described by a language model, kept as it goes."""

from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter

from penchant.data.dataset import Catalogue
from penchant.data.io.enrichment import Enriched, read_enriched, write_enriched
from penchant.data.io.load import load
from penchant.errors import LanguageModelError
from penchant.llm.client.base import LanguageModel, Usage
from penchant.llm.tasks.item_enrichment import Enrichment, digest, prompt_of

IN_A_ROW = 5
"""Items after which a model that fails each of them is asked no more."""
INTERRUPTED = "interrupted"

_SHOWN = 10
_SECONDS = 5.0  # between two lines of progress
_LEAST = 50  # items after which the file is written, or a twentieth of it where that is more


@dataclass
class EnrichmentReport:
    """What was done, and what it took.

    model         which was asked
    items         that were looked at
    done, kept    rows made now, and rows of before that still fit their text and model
    textless      items that have no title, description or tag
    failed        pairs of item and reason, in the order in which they failed
    dropped, cut  words of replies that were left out; words and sentences that were too long
    spent         of this run: requests, tokens, replies from the cache, money
    seconds       of this run
    stopped       why it ended before the last item; None where it did not
    """

    model: str
    items: int = 0
    done: int = 0
    kept: int = 0
    textless: int = 0
    failed: list[tuple[str, str]] = field(default_factory=list)
    dropped: int = 0
    cut: int = 0
    spent: Usage = field(default_factory=Usage)
    seconds: float = 0.0
    stopped: str | None = None

    @property
    def left(self) -> int:
        """Items that were not asked about."""
        return self.items - self.done - self.kept - self.textless - len(self.failed)

    def to_dict(self) -> dict[str, object]:
        """As JSON types; of the items that failed the first ten."""
        examples = [{"item": item, "reason": reason} for item, reason in self.failed[:_SHOWN]]
        numbers = {name: getattr(self, name) for name in ("items", "done", "kept", "textless")}
        return {
            "model": self.model,
            **numbers,
            "left": self.left,
            "failed": len(self.failed),
            "examples": examples,
            "dropped": self.dropped,
            "cut": self.cut,
            "spent": asdict(self.spent),
            "seconds": round(self.seconds, 2),
            "stopped": self.stopped,
        }


@dataclass(frozen=True)
class _Asked:
    """An item that a model is asked about; its prompt is made when it is needed."""

    row: int
    item: str
    digest: str


def enrich(
    folder: str | Path,
    model: LanguageModel,
    *,
    items: int | None = None,
    concurrent: int = 4,
    progress: Callable[..., None] | None = None,
) -> EnrichmentReport:
    """Describe the items of a DATA directory by a language model: tags, a sentence, an audience.

    The rows are written to enriched.parquet as they come, so that a call that was interrupted goes
    on from there. A former row is kept where it was made of the same text by the same model; the
    others stay until they are replaced.

    It ends early on Ctrl-C, with the answers that are under way, and where the model fails
    5 items in a row, as it does once its budget is spent; the report says which.

    Parameters
    ----------
    folder
        A DATA directory, as ``ingest`` writes it.
    model
        The language model, such as ``penchant.llm.client.openai_chat.chat_of()`` returns.
    items
        Only so many items, the first by identifier; default: all.
    concurrent
        Requests that are open at once.
    progress
        Called with a line of text, or with two numbers: items done, and items in all.

    Returns
    -------
    EnrichmentReport
        Items described, kept and failed, what it cost, and why it ended early, if it did.

    Raises
    ------
    DataError
        For a directory that cannot be read.

    Examples
    --------
    >>> from penchant.llm.client.openai_chat import chat_of
    >>> report = enrich("shop", chat_of())  # doctest: +SKIP
    >>> print(report.done, report.spent)  # doctest: +SKIP
    """
    start = perf_counter()
    catalogue = load(folder).catalogue
    run = _EnrichmentRun(Path(folder), catalogue, model)
    waiting = run.waiting(items)
    progress = progress or (lambda *_: None)
    try:
        run.ask(waiting, concurrent, progress)
    finally:
        run.write()
    run.report.spent = run.spent
    run.report.seconds = perf_counter() - start
    return run.report


class _EnrichmentRun:
    """One enriching: the rows that there are, and what has been done."""

    def __init__(self, folder: Path, catalogue: Catalogue, model: LanguageModel) -> None:
        self.folder, self.catalogue, self.model = folder, catalogue, model
        self.rows = read_enriched(folder)
        self.report = EnrichmentReport(model.name)
        self.unwritten = self.in_a_row = 0
        self.before = model.spent
        self.start = self.last = perf_counter()

    @property
    def spent(self) -> Usage:
        """What the model has cost since the start."""
        now, before = asdict(self.model.spent), asdict(self.before)
        return Usage(**{name: now[name] - before[name] for name in now})

    def waiting(self, items: int | None) -> list[_Asked]:
        """What the model is to be asked; the report counts the rest."""
        found, report = [], self.report
        ids = self.catalogue.items.ids[:items]
        report.items = len(ids)
        for row, item in enumerate(ids):
            asked, old = prompt_of(self.catalogue, row), self.rows.get(item)
            if asked is None:
                report.textless += 1
            elif old and (old.digest, old.model) == (digest(asked), self.model.name):
                report.kept += 1
            else:
                found.append(_Asked(row, item, digest(asked)))
        return found

    def ask(self, waiting: list[_Asked], concurrent: int, progress: Callable[..., None]) -> None:
        """Ask about all of them; no more once the report says why it stopped."""
        feed = iter(waiting)
        going: dict[Future[Enrichment], _Asked] = {}
        with ThreadPoolExecutor(concurrent) as pool:
            while True:
                try:
                    for asked in self._next(feed, concurrent - len(going)):
                        going[pool.submit(self._answer, asked.row)] = asked
                    if not going:
                        return
                    for answer in wait(going, return_when=FIRST_COMPLETED).done:
                        self._take(going.pop(answer), answer)
                    self._tell(len(waiting), progress)
                except KeyboardInterrupt:
                    if self.report.stopped:  # asked to end a second time
                        pool.shutdown(wait=False, cancel_futures=True)
                        raise
                    self.report.stopped = INTERRUPTED

    def _next(self, feed: Iterator[_Asked], room: int) -> Iterator[_Asked]:
        for _ in range(room):
            asked = None if self.report.stopped else next(feed, None)
            if asked is None:
                return
            yield asked

    def _answer(self, row: int) -> Enrichment:
        asked = prompt_of(self.catalogue, row)
        assert asked is not None
        return self.model.ask(asked, Enrichment)

    def _take(self, asked: _Asked, answer: Future[Enrichment]) -> None:
        report = self.report
        try:
            found = answer.result()
        except LanguageModelError as error:
            report.failed.append((asked.item, str(error)))
            self.in_a_row += 1
            if self.in_a_row >= IN_A_ROW and not report.stopped:
                report.stopped = f"{self.in_a_row} items in a row failed, the last with: {error}"
            return
        self.in_a_row = 0
        self.rows[asked.item] = Enriched(
            asked.item,
            tuple(found.tags),
            found.summary or None,
            tuple(found.audience),
            self.model.name,
            asked.digest,
        )
        report.done += 1
        report.dropped += found.dropped
        report.cut += found.cut
        self.unwritten += 1
        if self.unwritten >= max(_LEAST, len(self.rows) // 20):
            self.write()

    def write(self) -> None:
        """Write the file where there is anything new."""
        if self.unwritten:
            write_enriched(self.folder, self.rows.values())
            self.unwritten = 0

    def _tell(self, total: int, progress: Callable[..., None]) -> None:
        """Say how far it is: at once at the end, else every few seconds."""
        done, now = self.report.done + len(self.report.failed), perf_counter()
        progress(done, total)
        if done == total or now - self.last >= _SECONDS:
            self.last = now
            progress(_progress(done, total, now - self.start, self.spent))


def _progress(done: int, total: int, seconds: float, spent: Usage) -> str:
    """How far a run is, in words.

    >>> _progress(30, 120, 60.0, Usage(read=3000, written=1500, cached=4))
    '30 of 120 items, 0.5 a second, 3 min left; tokens: 3,000 read, 1,500 written; 4 from the cache'
    """
    rate = done / max(seconds, 1e-9)
    left = (total - done) / rate if rate else 0.0
    remaining = f"{left / 60:.0f} min" if left >= 100 else f"{left:.0f} s"
    return (
        f"{done:,} of {total:,} items, {rate:.1f} a second, {remaining} left; tokens: "
        f"{spent.read:,} read, {spent.written:,} written; {spent.cached:,} from the cache"
    )
