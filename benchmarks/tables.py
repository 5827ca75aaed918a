"""Write the README's tables from benchmarks/results/*.json: python benchmarks/tables.py [--check]

Each table stands between ``<!-- table NAME -->`` and ``<!-- end -->``.
"""

import json
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
TABLE = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def result(name):
    return json.loads((HERE / "results" / f"{name}.json").read_text(encoding="utf-8"))


def mean(entry, digits=4):
    return f"{entry['value']:.{digits}f} ±{(entry['high'] - entry['low']) / 2:.{digits}f}"


def benchmark(name):
    """One benchmark, its own and the published rows together, by NDCG@10."""
    content = result(name)
    rows = []
    for row in content["rows"]:
        m = row["metrics"]
        best = row["model"] == (content["paired"] or {}).get("model")
        cells = [
            f"**{row['model']}**" if best else row["model"],
            *(mean(m[key]) for key in ("recall@10", "ndcg@10")),
            f"{m['coverage@10']['value']:.2f}",
            f"{row['fit_seconds']:.1f}",
            f"{row['recommend_users_per_second']:,.0f}",
            f"{row['peak_mb']:,}",
        ]
        rows.append((m["ndcg@10"]["value"], cells))
    for row in content["published"]:
        sees = "" if row["sees content"] == "no" else f", sees {row['sees content']}"
        sees += "".join(f",{more}" for more in row["protocol"].split(";")[1:])
        value = float(row["ndcg@10"] or 0)
        cells = [f"{row['model']} (published{sees})", row["recall@10"], row["ndcg@10"]]
        rows.append((value, [*cells, "", "", "", ""]))
    columns = ["model", "Recall@10", "NDCG@10", "coverage", "fit s", "users/s", "peak MB"]
    text = grid(columns, [cells for _, cells in sorted(rows, reverse=True)])
    pairs = [content["paired"]] if content["paired"] else []
    for paired in pairs + [pair for pair in content.get("over_baselines", []) if pair not in pairs]:
        text += (
            f"\n\n{paired['model']} less {paired['against']}, NDCG@10, paired over "
            f"{content['cases']:,} users: {signed(paired['ndcg@10'])}"
        )
    return text


def content_weights(settings):
    """What each kind of content weighs; results before 0.2 call it alpha."""
    return settings.get("content_weights", settings.get("alpha", {}))


def settings(_):
    """What validation chose for the transition expert, and the seconds of it."""
    lines = []
    for name in RESULTS:
        content = result(name)
        row = next(r for r in content["rows"] if r["model"] == "transition")
        s, m = row["settings"], row["metrics"]
        cells = (
            mean(m["recall@10"]),
            mean(m["ndcg@10"]),
            ", ".join(f"{key} {s[key]:g}" for key in ("decay", "reverse", "ridge", "candidates"))
            + f", tags {content_weights(s).get('tags', 0):g}",
            f"{row['fit_seconds']:.1f}",
            f"{row['search_seconds']:.0f}",
            f"{row['evaluate_seconds']:.1f}",
            f"{row['peak_mb']:,}",
        )
        lines.append([name, *cells])
    return grid(["data", *COLUMNS], lines)


COLUMNS = (
    *("Recall@10", "NDCG@10", "chosen on validation", "fit s", "search s", "evaluate s"),
    "peak MB",
)
RESULTS = ("amazon-beauty", "amazon-beauty-ids-only", "amazon-sports", "ml-1m")


def exactness(name):
    rows = result(name)
    columns = [name for name in rows[0] if name != "of"]
    lines = [
        [
            f"{row[c]:,} of {row['of']:,}"
            if c == "columns solved"
            else {True: "yes", False: "**no**"}.get(row[c], row[c])
            if isinstance(row[c], bool)
            else str(row[c])
            for c in columns
        ]
        for row in rows
    ]
    return grid(columns, lines)


def grid(columns, rows):
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def signed(entry):
    return f"{entry['value']:+.4f} [{entry['low']:+.4f}, {entry['high']:+.4f}]"


MODELS = ("transition", "sequence", "fusion")


def behaviors(name):
    """NDCG@10 of each way to see the behaviors, and what telling them apart adds."""
    rows, lines = [], []
    for content in result(name):
        label = f"{content['dataset']}, {content['target']}"
        of = {(r["way"], r["model"]): r["metrics"]["ndcg@10"] for r in content["rows"]}
        ways = dict.fromkeys(r["way"] for r in content["rows"])
        rows += [[label, way, *(mean(of[way, model]) for model in MODELS)] for way in ways]
        less = {
            (f"{d['way']} less {d['less']}", d["model"]): d["ndcg@10"]
            for d in content["differences"]
        }
        for what in dict.fromkeys(what for what, _ in less):
            told = (signed(less[what, m]) if (what, m) in less else "" for m in MODELS)
            rows.append([label, what, *told])
        held = ", ".join(f"{share:.0%} of {name}" for name, share in content["held"].items())
        lines.append(f"{content['dataset']}: of an item that the history holds are {held} events")
    return grid(["data, target", "events", *MODELS], rows) + "\n\n" + "; ".join(lines) + "."


def domains(name):
    """NDCG@10 of users of two domains or more: a model for each domain, and one for all."""
    rows = []
    for content in result(name):
        of = {(r["domain"], r["way"], r["model"]): r for r in content["rows"]}
        less = {(d["domain"], d["model"]): d["ndcg@10"] for d in content["differences"]}
        for domain in dict.fromkeys(r["domain"] for r in content["rows"]):
            label = f"{content['dataset']}, {domain}"
            cases = f"{of[domain, 'joint', 'fusion']['cases']:,}"
            for way in ("alone", "joint"):
                found = [mean(of[domain, way, m]["metrics"]["ndcg@10"]) for m in MODELS]
                rows.append([label, cases, way, *found])
            rows.append(
                [label, cases, "joint less alone", *(signed(less[domain, m]) for m in MODELS)]
            )
    return grid(["data, domain", "cases", "model", *MODELS], rows)


def interests(name):
    """K user vectors and M item facets at an equal budget of training seconds."""
    columns = ["K x M", "epochs", "training s", "validation NDCG@10", "test NDCG@10", "less 1 x 1"]
    columns += ["active vectors", "collapse", "Recall@10 of each vector", "together"]
    rows = [
        [
            f"{r['interests']} x {r['facets']}",
            str(r["epochs"]),
            f"{r['training_seconds']:.0f}",
            f"{r['validation_ndcg@10']:.4f}",
            mean(r["metrics"]["ndcg@10"]),
            signed(r["less_one"]) if r["interests"] > 1 else "",
            f"{r['active']:.2f}",
            "" if r["collapse"] is None else f"{r['collapse']:.2f}",
            " ".join(f"{value:.3f}" for value in r["recall@10"]),
            f"{r['recall@10 together']:.3f}",
        ]
        for r in result(name)["rows"]
    ]
    return grid(columns, rows)


def training(name):
    """Training beside a peer's."""
    rows = []
    for content in result(name)["sets"]:
        for r in content["rows"]:
            reached = r["seconds_to_mark"]
            last = r["epochs"][-1]
            rows.append(
                [
                    content["dataset"],
                    r["trainer"],
                    f"{r['events_per_second']:,.0f}",
                    f"{r['times_as_fast']:g}",
                    f"{sum(epoch['whole'] for epoch in r['epochs'])}",
                    f"{last['seconds']:.0f}",
                    f"{last['ndcg@10']:.4f}",
                    f"{content['mark']:.4f}",
                    "not reached" if reached is None else f"{reached:.0f}",
                ]
            )
    columns = ["data", "trainer", "events/s", "ours is so many times as fast", "whole epochs"]
    columns += ["seconds", "NDCG@10 then", "mark", "seconds to the mark"]
    return grid(columns, rows)


def curve(name):
    """A sequence expert's training: the first passes, each fifth, the best and the last."""
    content = result(name.removeprefix("curve-"))
    row = next(r for r in content["rows"] if r["model"] == "sequence")
    lines, minutes = [], 0.0
    best = row["settings"]["stop"]
    for at in row["curve"]:
        minutes += at["seconds"] / 60
        epoch = at["epoch"]
        if epoch in (1, 2, best, len(row["curve"])) or epoch % 5 == 0:
            mark = "**" if epoch == best else ""
            lines.append(
                [
                    f"{mark}{epoch}{mark}",
                    f"{minutes:.0f}",
                    f"{at['loss']:.3f}",
                    f"{at['ndcg']:.4f}",
                    f"{at['events_per_second']:,.0f}",
                ]
            )
    columns = ["epoch", "training minutes", "training loss", "validation NDCG@10", "events/s"]
    return grid(columns, lines)


def content(name):
    """What each modality is worth, warm and cold, and the paired differences."""
    found = result(name)
    shown = ("warm ndcg@10", "cold recall@10", "cold recall@50", "price ndcg@10")
    rows = [
        [r["row"], *(mean(r["metrics"][metric]) for metric in shown), chosen(r["settings"])]
        for r in found["rows"]
    ]
    titles = ["warm NDCG@10", "cold Recall@10", "cold Recall@50", "warm NDCG@10 then"]
    text = grid(["content", *titles, "chosen for the cold"], rows)
    less = [
        [f"{d['row']} less {d['less']}", *(signed(d["metrics"][metric]) for metric in shown)]
        for d in found["differences"]
    ]
    return text + "\n\n" + grid(["paired", *titles], less)


def chosen(settings):
    if not settings or not settings["cold"]:
        return ""
    weights = content_weights(settings).items()
    chosen = ", ".join(f"{name} {weight:g}" for name, weight in weights if weight)
    return f"cold {settings['cold']:g}, {chosen}"


def newcomers(name):
    """What attributes say of users that nobody has met."""
    rows = [
        [
            str(r["after"]),
            r["model"],
            *(mean(r["metrics"][metric]) for metric in ("recall@10", "ndcg@10")),
            ""
            if r["model"] == "with attributes"
            else signed(r["with attributes less this"]["ndcg@10"]),
        ]
        for r in result(name)["rows"]
    ]
    columns = ["events so far", "list by", "Recall@10", "NDCG@10", "with attributes less this"]
    return grid(columns, rows)


def parts(name):
    """What each part of the data adds."""
    rows = [
        [
            r["row"],
            *(mean(r["metrics"][metric]) for metric in ("recall@10", "ndcg@10")),
            "" if r["row"] == "alone" else signed(r["less alone"]["ndcg@10"]),
        ]
        for r in result(name)["rows"]
    ]
    return grid(["data", "Recall@10", "NDCG@10", "less alone, NDCG@10"], rows)


def impressions(name):
    """AUC over what users were shown, and what validation chose."""
    content = result(name)
    rows = []
    for row in content["rows"]:
        s, tried = row["settings"], row["validation"]
        weights = {"tags": "entities", "text": "headlines"}
        alpha = {weights[key]: value for key, value in content_weights(s or {}).items()}
        chosen = [f"{key} {value:g}" for key, value in alpha.items() if value]
        chosen += [f"cold {s['cold']:g}", f"ridge {s['ridge']:g}"] if chosen else []
        auc = row["auc"]
        rows.append(
            [
                row["row"],
                f"{auc['value']:.4f} [{auc['low']:.4f}, {auc['high']:.4f}]",
                mean(tried["auc"]) if tried else "",
                ", ".join(chosen),
            ]
        )
    test, validation = content["test"], content["validation"]
    text = grid(["model", "AUC on test", "AUC on validation", "chosen on validation"], rows)
    return text + (
        f"\n\n{test['users_with_both']} users with both, "
        f"{test['pairs_of_user_and_article']} articles shown to them; validation: "
        f"{validation['cases']} cases; {content['clicks']:,} clicks to learn from"
    )


def sounds(name):
    """The share of the liked kind among new sounds at the top of each list."""
    content = result(name)
    rows = [
        ["audio alone", mean(content["right"])],
        ["the same rows shuffled among items", mean(content["dealt_anew"])],
        ["chance", f"{content['chance']:.4f}"],
    ]
    text = grid(
        ["what is known of the sounds", f"of the liked kind in the top {content['k']}"], rows
    )
    kinds = ", ".join(f"{kind} {value:.3f}" for kind, value in content["of_each_kind"].items())
    return text + (
        f"\n\n{content['worlds']} worlds of {content['sounds']} sounds, {content['new']} of them "
        f"new to all, and {content['users']} users each; by kind: {kinds}"
    )


def explained(name):
    """Planted worlds, fidelity and quotas."""
    found = result(name)
    kinds = ("both found", "list holds both", "list holds both, with a quota")
    kinds = (*kinds, "muted, and gone from the list")
    rows = [
        [f"tags {world['tags']}, {world['turns']}", *(mean(world[kind], 3) for kind in kinds)]
        for world in found["planted"]
    ]
    planted = grid(["two of four genres, taken", *kinds], rows)
    seen = found["browsing"]
    rows = [
        [
            str(seen["users"]),
            mean(seen["both found"], 3),
            *(mean(seen[f"list for {kind} within"], 3) for kind in ("buy", "view")),
            f"{seen['chance']:.3f}",
        ]
    ]
    columns = ["users", "both found", "list for buy, of what is bought"]
    browsing = grid([*columns, "list for view, of what is browsed", "chance"], rows)
    rows = [
        [
            of["dataset"],
            of["model"],
            str(of["users"]),
            *(bounds(of[key]) for key in ("cited", "uncited", "ratio")),
        ]
        for of in found["fidelity"]
    ]
    columns = ["data", "model", "users", "fall without the cited", "without another", "ratio"]
    fidelity = grid(columns, rows)
    rows = [
        [
            of["dataset"],
            f"{of['chosen']:g}",
            *(" to ".join(mean(one) for one in of[key]) for key in ("error", "ndcg@10")),
            f"{of['error kept'] - 1:+.0%}",
            f"{of['ndcg@10 kept'] - 1:+.1%}",
            signed(of["ndcg@10 less"]),
        ]
        for of in found["quota"]
    ]
    columns = ["data", "quota", "error", "NDCG@10", "error by", "NDCG@10 by", "paired"]
    quota = grid(columns, rows)
    speed = found["speed"]
    text = ", ".join(
        f"{of}: median {speed[of]['median']:.1f}, 99 % within {speed[of]['p99']:.1f}"
        for of in ("list of ten, ms", "one item in full, ms")
    )
    speed = f"To explain, at {speed['items']:,} items and the transition expert, {text}"
    return "\n\n".join((planted, browsing, fidelity, quota, speed))


def bounds(entry):
    """A value with its bounds; one that has none is not bounded."""
    low, high = (
        "no bound" if entry[key] is None else f"{entry[key]:.3g}" for key in ("low", "high")
    )
    value = "no bound" if entry["value"] is None else f"{entry['value']:.3g}"
    return f"{value} [{low}, {high}]"


def newcomer(name):
    """Seconds until a new item has its column, and is in the run."""
    content = result(name)
    rows = []
    for what, label in (("column", "its column alone"), ("update", "the whole update")):
        of = content[what]
        digits = {"column": 1, "update": 0}[what]
        keys = ("median", "max", "processor_median")
        rows.append([label, *(f"{1000 * of[key]:,.{digits}f}" for key in keys)])
    text = grid(["of an item without events", "median ms", "most ms", "processor ms"], rows)
    return text + (
        f"\n\n{content['items']:,} items, {content['events']:,} events, "
        f"{content['candidates']} candidates, a feature of {content['width']} and tags; mark for "
        f"the column: {1000 * content['mark_seconds']:.0f} ms"
    )


def serving(name):
    """What the service did under load, by database and run."""
    content = result(name)
    rows = []
    for of in content["rows"]:
        lists, events, stale, killed = (of[key] for key in ("lists", "events", "stale", "killed"))
        rows.append(
            [
                of["database"],
                of["reads"],
                *(f"{lists[key]:.1f}" for key in ("p50_ms", "p99_ms")),
                f"{of['lists_per_second']:,.0f}",
                f"{events['events_per_second']:,.0f}",
                f"{stale['stale']} of {stale['rounds']:,}",
                f"{killed['lost']} and {killed['twice']} of {killed['answered']:,}",
            ]
        )
    columns = ["store", "fusion of both experts and", "p50 ms", "p99 ms", "lists/s at most"]
    columns += ["events/s", "stale lists", "events lost, twice"]
    first = content["rows"][0]
    return grid(columns, rows) + (
        f"\n\n{first['items']:,} items, histories of {first['history']} events, two workers, "
        f"{first['lists']['rate']:.0f} lists a second as the client sees them; events in batches "
        f"of 100; lists right after an event, {first['stale']['at_once']} users at once, their "
        f"scores compared with the library's; {first['killed']['kills']} times SIGKILL while "
        f"clients write. Marks: {content['marks']['p50_ms']:.0f} and "
        f"{content['marks']['p99_ms']:.0f} ms, {content['marks']['events_per_second']:,.0f} "
        "events a second, nothing stale, lost or twice"
    )


def privacy(name):
    """NDCG@10 of each private method against epsilon."""
    content = result(name)
    by_method = {}
    for row in content["rows"]:
        by_method.setdefault(row["method"], {})[str(row["epsilon"])] = row
    epsilons = [str(row["epsilon"]) for row in content["rows"] if row["method"] == "popularity"]
    rows = []
    for method, of in by_method.items():
        rows.append([method, *(mean(of[e]["ndcg@10"]) if e in of else "" for e in epsilons)])
    plain = content["not private"]
    columns = ["method", *(f"epsilon {e}" for e in epsilons)]
    network = content["network"]
    size = network.get("embedding_size", network.get("width"))
    length = network.get("max_length", network.get("length"))
    return grid(columns, rows) + (
        f"\n\nNDCG@10 on {content['cases']:,} test cases, delta {content['delta']:g}; inf is the "
        "clipped statistics without noise. Without privacy popularity has "
        f"{mean(plain['popularity']['ndcg@10'])} and the transition expert "
        f"{mean(plain['transition']['ndcg@10'])}. The network of `sequence` has width "
        f"{size}, {network['layers']} layer and reads {length} events"
    )


def forgetting(name):
    """What attacks tell of members before and after they are forgotten."""
    content = result(name)
    rows = []
    for attack in ("threshold", "shadow"):
        of = content[attack]
        spans = [
            f"{of['auc'][at]['value']:.3f} [{of['auc'][at]['low']:.3f}, "
            f"{of['auc'][at]['high']:.3f}]"
            for at in ("before", "after")
        ]
        rows.append([attack, *spans, of["verdict"]])
    same = content["same_sums"] and content["same_B"]
    return grid(["attack", "AUC before", "AUC after", "verdict"], rows) + (
        f"\n\nThe transition expert on {content['data']}, {content['members']} members and "
        f"{content['others']} others, {content['shadows']} shadow models; an AUC below .60 before "
        "is an attack too weak to tell anything after. Sums and B after forgetting are "
        f"{'those' if same else 'NOT those'} of a fit that never saw the members, bit for bit"
    )


def federated(name):
    """Federations of one dataset's users beside the same fit at one place."""
    content = result(name)
    rows = []
    for title, of in content.items():
        if "clients" not in of:
            continue
        same = of.get("same_bits_as_central")
        rows.append(
            [
                title,
                f"{of['bytes_per_client']['most'] / 1e6:.2f}",
                "" if same is None else ("yes" if all(same.values()) else "no"),
                mean(of["ndcg@10"]),
                mean(of["central_ndcg@10"]),
                "" if of.get("rho") is None else f"{of['rho']:.3g}",
                f"{of['seconds']:.0f}",
            ]
        )
    columns = ["federation", "MB of a client", "same bits", "NDCG@10", "at one place", "rho", "s"]
    sizes = content["megabytes of a client's sums"]
    told = ", ".join(f"{size:,} MB for {int(items):,} items" for items, size in sizes.items())
    return grid(columns, rows) + f"\n\nA client's message by the size of the block: {told}"


def queries(name):
    """What a search and a question do to lists, and what is left of the user."""
    content = result(name)
    rows = [
        [
            row["query"],
            ", ".join(row["genres"]),
            row["how"],
            f"{row['lists_with_5']:.1%}",
            f"{row['of_10']:.1f}",
            mean(row["ndcg@10"]),
            signed(row["less_popularity"]),
        ]
        for number, row in enumerate(content["rows"])
        if row["how"] != "no search" or number == 0
    ]
    columns = ["text", "wanted", "as", "lists with 5 of 10", "of 10", "NDCG@10", "less popularity"]
    return grid(columns, rows) + (
        f"\n\n{content['users']} test users, {content['model']}; NDCG@10 is against their own "
        f"next item, of which the text knows nothing; popularity {mean(content['popularity'])}"
    )


def enrichment(name):
    """What it costs to have a model describe items."""
    content = result(name)
    columns = ["run", "items", "requests", "failed", "from the cache", "kept rows"]
    columns += ["tokens read", "tokens written", "s", "s an item"]
    keys = ["items", "requests", "failed", "cached", "kept", "read", "written"]
    rows = [
        [run, *(f"{of[key]:,}" for key in keys), f"{of['seconds']:,.0f}", f"{of['an item']:.2f}"]
        for run, of in content["rows"].items()
    ]
    return grid(columns, rows) + f"\n\n{content['data']}, {content['model']}"


def written(name):
    return (HERE / "results" / f"{name}.md").read_text(encoding="utf-8").rstrip()


OTHERS = {
    "settings": settings,
    "frontier": written,
    "seconds": written,
    "exactness": exactness,
    "behaviors": behaviors,
    "domains": domains,
    "interests": interests,
    "explained": explained,
    "training": training,
    "curve": curve,
    "content": content,
    "newcomers": newcomers,
    "parts": parts,
    "impressions": impressions,
    "sounds": sounds,
    "new": newcomer,
    "serving": serving,
    "privacy": privacy,
    "forgetting": forgetting,
    "federated": federated,
    "queries": queries,
    "enrichment": enrichment,
}


def filled(text):
    """The README with every table made anew."""

    def table(found):
        name = found[2]
        kind = OTHERS.get(name.split("-")[0], benchmark)
        return f"{found[1]}{kind(name)}\n{found[3]}"

    return TABLE.sub(table, text)


def main():
    text = README.read_text(encoding="utf-8")
    made = filled(text)
    if "--check" in sys.argv:
        sys.exit(made != text and "README.md differs from benchmarks/results: run this script")
    README.write_text(made, encoding="utf-8")


if __name__ == "__main__":
    main()
