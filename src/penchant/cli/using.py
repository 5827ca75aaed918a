"""The commands that use a run: recommend, similar, explain, update."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from penchant.cli.data import Json, KeyFile, Pseudonyms, RecipeFile, Sets
from penchant.cli.explained import show_explanation
from penchant.cli.models import Run
from penchant.cli.online import Database
from penchant.cli.output import emit, number, say, table, working
from penchant.cli.reordered import ModelFile, Used, reordered_list, show_reordered
from penchant.cli.ruled import Diversity, Request, RulesFile, rules_of, show_ruled
from penchant.cli.service import Strict, refresh
from penchant.cli.worded import InWords, Llm, model_of, show_note
from penchant.config import Recipe
from penchant.errors import ConfigError

User = Annotated[str | None, typer.Option("--user", help="A user of the run.")]
History = Annotated[
    str | None, typer.Option("--history", help="Items, oldest first: a,b,c or a JSON list.")
]
Count = Annotated[int, typer.Option("-k", "--k", help="How many items.")]


def add(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (recommend, similar, explain, update):
        app.command()(command)


def recommend(
    run: Run,
    user: User = None,
    history: History = None,
    everyone: Annotated[bool, typer.Option("--all", help="All users, into --out.")] = False,
    out: Annotated[Path | None, typer.Option(help="A Parquet file, for --all.")] = None,
    k: Count = 10,
    behavior: Annotated[str | None, typer.Option(help="The behavior to predict.")] = None,
    domain: Annotated[str | None, typer.Option(help="Items of one domain only.")] = None,
    with_explanations: Annotated[
        bool, typer.Option("--explain", help="Add three reasons to each item.")
    ] = False,
    rules_file: RulesFile = None,
    diversity: Diversity = None,
    request: Request = "",
    reorder: Used = False,
    llm: ModelFile = None,
    as_json: Json = False,
) -> None:
    """List the best items for a user, for a history, or for all users."""
    from penchant.explaining import with_reasons
    from penchant.model import load
    from penchant.privacy.forgetting import flagged
    from penchant.rerank import Reranked, reranked

    if sum([user is not None, history is not None, everyone]) != 1:
        raise ConfigError("expected one of --user, --history and --all")
    rules = rules_of(rules_file, diversity)
    if everyone and rules is not None:
        raise ConfigError("expected --rules and --diversity beside --user or --history, not --all")
    if reorder and (everyone or rules is not None):
        raise ConfigError("expected --reorder beside --user or --history, without rules")
    with working(f"loading {run}"):
        model = load(run)
    if everyone:
        if out is None:
            raise ConfigError("expected --out FILE.parquet beside --all")
        _everyone(model.aimed(behavior), out, k, domain, as_json)
        return
    given = listed(history)
    asked: dict[str, Any] = {"history": given, "k": k, "domain": domain, "behavior": behavior}
    past = model.histories(given or [])[0] if user is None else model.dataset.history(user)
    said: dict[str, Any] = {}
    if reorder:
        ordered = reordered_list(model, past, asked, user, llm)
        found, said = ordered.found, {"reordered": ordered.said}
    elif rules is None:
        found = model.recommend(user, **asked)
    else:
        found = reranked(model, user, **asked, rules=rules, request=request)
    if with_explanations:
        found = with_reasons(model.aimed(behavior), found, past)
    content = found.to_dict() | said
    if as_json:
        emit(content)
        return
    if (flag := flagged(model)) is not None:
        say(f"note: {flag}")
    who = f"user {user}" if user is not None else "this history"
    show_items(f"For {who}, source: {found.source}", content["items"])
    if reorder:
        show_reordered(said["reordered"])
    if user is not None and user not in model.dataset.users:
        say(f"note: user {user!r} is not known to the run; these are the popular items")
    if isinstance(found, Reranked):
        show_ruled(found)
    if found.unknown:
        say(f"note: not in the catalogue: {', '.join(found.unknown)}")
    if found.short:
        say(f"note: only {len(found.items)} items are left to recommend")


def similar(
    run: Run,
    item: Annotated[str, typer.Option("--item", help="An item of the run.")],
    k: Count = 10,
    as_json: Json = False,
) -> None:
    """List the items most like one."""
    from penchant.model import load

    with working(f"loading {run}"):
        model = load(run)
    rows = [row._asdict() for row in model.similar(item, k)]
    if as_json:
        emit({"item": item, "items": rows})
        return
    show_items(f"Like {item}", rows)


def explain(
    run: Run,
    item: Annotated[str, typer.Option("--item", help="An item of the run.")],
    user: User = None,
    history: History = None,
    in_words: InWords = False,
    llm: Llm = None,
    as_json: Json = False,
) -> None:
    """Show why an item has its score: events, interests, parts, and the list without."""
    from penchant.explaining import explain as explained
    from penchant.model import load

    with working(f"loading {run}"):
        model = load(run)
    found = explained(model, item, user=user, history=listed(history))
    content = found.to_dict()
    if in_words:
        from penchant.language.explained import worded

        content["worded"] = worded(found, model.dataset.catalogue, model_of(llm)).to_dict()
    if as_json:
        emit(content)
        return
    if in_words:
        say(content["worded"]["text"], "bold")
        show_note(content["worded"]["note"])
    show_explanation(content)
    if user is not None and user not in model.dataset.users:
        say(f"note: user {user!r} is not known to the run")


def update(
    run: Run,
    events: Annotated[Path | None, typer.Option(help="New events.")] = None,
    items: Annotated[Path | None, typer.Option(help="New items, or old ones anew.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="A TOML file of column names.")] = None,
    database: Database = None,
    every: Annotated[
        float | None, typer.Option(min=1, help="With --database: again after so many seconds.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: the run itself.")] = None,
    pseudonyms: Pseudonyms = None,
    key: KeyFile = None,
    strict: Strict = False,
    recipe: RecipeFile = None,
    sets: Sets = None,
    as_json: Json = False,
) -> None:
    """Take new events and items into a run, from files or from a service's store."""
    if database is not None:
        if events is not None or items is not None or out is not None:
            raise ConfigError("expected --database alone, or files beside --events and --items")
        refresh(run, database, every, as_json, key, strict)
        return
    if strict:
        raise ConfigError("expected --strict beside --database, which takes out who was forgotten")
    from penchant.data.keyed import key_of
    from penchant.data.mapping import BehaviorSettings, DataMapping
    from penchant.data.store import ingest, load
    from penchant.model import load as load_model
    from penchant.updating import update as updated

    if events is None and items is None:
        raise ConfigError("expected --events, --items or both, or the --database of a service")
    cleaning = Recipe.load(recipe, sets).cleaning
    with working(f"loading {run}") as told, TemporaryDirectory() as scratch:
        model = load_model(run)
        told("reading what is new")
        old = model.dataset
        described = DataMapping() if mapping is None else DataMapping.load(mapping)
        behaviors = {
            b.name: BehaviorSettings(strength=b.strength, polarity=b.polarity)
            for b in old.catalogue.behaviors
        }
        as_before = {"time": old.time, "target": old.target, "behaviors": behaviors}
        described = described.model_copy(update=as_before)
        data = Path(scratch) / "data"
        report = ingest(
            events,
            data,
            items=items,
            mapping=described,
            settings=cleaning,
            pseudonyms=None if pseudonyms is None else key_of(pseudonyms, say),
            tombstones=old.tombstones,
            key=key_of(key, say) if old.tombstones else None,
        )
        told("updating")
        renewed, receipt = updated(model, load(data), told)
        told("saving")
        renewed.save(out or run)
    if as_json:
        emit({"run": str(out or run), **receipt.to_dict(), "cleaning": report.to_dict()})
        return
    for line in report.lines():
        say(line)
    for note in receipt.notes:
        say(f"note: {note}")
    say(
        f"{receipt.events:,} events, {receipt.users:,} new users, {receipt.items:,} new items; "
        f"solved again: {receipt.solved:,} of {receipt.columns:,} columns"
    )
    say(f"as a new fit would have them: {', '.join(receipt.exact)}")
    say(f"until the next fit as they were: {', '.join(receipt.left)}")


def _everyone(model: Any, out: Path, k: int, domain: str | None, as_json: bool) -> None:
    import numpy as np

    from penchant.data.store import write_parquet

    names = np.array(model.dataset.users.ids, object)
    items = np.array([*model.dataset.catalogue.items.ids, None], object)
    named = ("user", "item", "rank", "score", "probability", "source")
    columns: dict[str, list[Any]] = {name: [] for name in named}
    with working("recommending for all users", len(names)) as told:
        for block in model.recommend_all(k, domain=domain):
            listed = block.items >= 0
            row, place = np.nonzero(listed)
            columns["user"].append(names[block.users[row]])
            columns["item"].append(items[block.items[listed]])
            columns["rank"].append(place + 1)
            columns["score"].append(block.scores[listed])
            columns["probability"].append(block.probability[listed])
            source = np.where(block.popular[listed], "popular", model.family).astype(object)
            if block.asked is not None:
                source[block.asked[listed] != None] = "asked"  # noqa: E711  # of each cell
            columns["source"].append(source)
            told(int(block.users[-1]) + 1, len(names))
    write_parquet(out, {name: np.concatenate(parts) for name, parts in columns.items()})
    rows = sum(len(part) for part in columns["rank"])
    if as_json:
        emit({"out": str(out), "users": len(names), "rows": rows})
    else:
        say(f"{rows:,} rows for {len(names):,} users written to {out}")


def listed(history: str | None) -> list[str] | None:
    """The items of --history; a JSON list holds identifiers that have commas in them."""
    if history is None:
        return None
    if history.lstrip().startswith("["):
        try:
            items = json.loads(history)
        except ValueError:
            items = None
        if isinstance(items, list) and all(isinstance(item, str) for item in items):
            return items
        raise ConfigError(f"expected --history as a JSON list of texts, received {history}")
    return [item for item in history.split(",") if item]


def show_items(title: str | None, items: Sequence[dict[str, Any]]) -> None:
    """Print ranked items, and why, where that was asked for."""
    columns = ["", "item", "title", "score", "probability"]
    rows = []
    for place, item in enumerate(items, 1):
        known = item["probability"] is not None
        share = f"{item['probability']:.2%}" if known else ""
        rows.append([str(place), item["item"], item["title"] or "", number(item["score"]), share])
    shown = [n for n in range(len(columns)) if n != 4 or any(row[n] for row in rows)]
    rows = [[row[n] for n in shown] for row in rows]
    table(title, [columns[n] for n in shown], rows, left=3)
    for place, item in enumerate(items, 1):
        if item["because"]:
            say(f"{place}. {item['because']}")
