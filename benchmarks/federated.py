"""Federations on MovieLens-100K: bits, bytes, seconds and NDCG@10 beside the central fits.

    python benchmarks/federated.py ML-100K-FOLDER --out benchmarks/results/federated.json

The folder is RecBole's ml-100k, ingested here with recipes/ml-100k.toml. Sums: all 943 users as
clients in the open, and 20 clients masked, on a public block of 500 items. Rounds: FedAvg of the
deep expert with 20 clients, without and with differential privacy. Larger catalogues by arithmetic.
``--ray`` repeats the sums in Flower's own simulation; start it where only loopback can be reached.
"""

import argparse
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from penchant.config import Recipe
from penchant.data.io import load
from penchant.privacy.federated.agreement import cells
from penchant.privacy.federated.simulation import CATALOGUES, FederationOptions, federate

ROUNDS = 40
NETWORK = ["sequence.negatives=0", "sequence.batch_size=256"]
RUNS = {
    "943 clients in the open": FederationOptions(943),
    "20 clients, masked": FederationOptions(20, secure=True),
    "20 clients, masked among 12 neighbors": FederationOptions(20, secure=True, degree=12),
    "1 client": FederationOptions(1),
    f"{ROUNDS} rounds, 20 clients": FederationOptions(20, rounds=ROUNDS),
    f"{ROUNDS} rounds, 20 clients, clip 1, noise 1": FederationOptions(
        20, rounds=ROUNDS, clip=1.0, noise=1.0
    ),
}
RAY = {
    "943 clients in the open, Flower's simulation": FederationOptions(943, engine="ray"),
    "20 clients, masked, Flower's simulation": FederationOptions(20, secure=True, engine="ray"),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--ray", action="store_true", help="Flower's simulation too; needs Ray.")
    arguments = parser.parse_args()
    recipes = Path(__file__).parent.parent / "recipes"
    with TemporaryDirectory() as scratch:
        load.ingest(arguments.folder, Path(scratch) / "d", mapping=recipes / "ml-100k.toml")
        data = load.load(Path(scratch) / "d")
    found = json.loads(arguments.out.read_text("utf-8")) if arguments.out.exists() else {}
    found["megabytes of a client's sums"] = {n: round(cells(n) * 8e-6) for n in CATALOGUES}
    print(found["megabytes of a client's sums"])
    for name, options in (RAY if arguments.ray else RUNS).items():
        recipe = Recipe.load(overrides=NETWORK)
        row = federate(data, options, recipe, progress=lambda text: print(text, file=sys.stderr))
        row.pop("bytes_of_catalogues", None)
        row["rounds"] = len(row.get("rounds", ()))
        found[name] = row
        print(name, json.dumps(row), flush=True)
        text = json.dumps(found, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
        arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
