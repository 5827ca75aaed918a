#!/usr/bin/env bash
# All tables of the README, with penchant and python of the PATH; the data are found through PENCHANT_DATA.
# Writes benchmarks/results/*. Two settings that some systems set for an older BLAS are unset.
set -euo pipefail
cd "$(dirname "$0")/.."
data=${PENCHANT_DATA:?set PENCHANT_DATA to the folder of the data sets; the README says where to get them}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
results=benchmarks/results
mkdir -p "$results"
# rows of identifiers and tags alone, as those of other libraries
alone=(--set content.text=none --set content.image=none --set 'users.attributes=[]')

closed=popularity,recent,item-knn,ease,als,bpr,transition
penchant benchmark "$data/amazon-beauty" --models "$closed" --out "$results/amazon-beauty.json"
without=$(mktemp -d)
trap 'rm -rf "$without"' EXIT
cp "$data/amazon-beauty/events.parquet" "$data/amazon-beauty/dataset.toml" "$without"
penchant benchmark "$without" --models transition --out "$results/amazon-beauty-ids-only.json"
penchant benchmark "$data/amazon-sports" --models popularity,item-knn,als,bpr,transition \
  --out "$results/amazon-sports.json"
penchant benchmark "$data/ml-1m" "${alone[@]}" --models "$closed" --out "$results/ml-1m.json"
penchant benchmark "$data/amazon-beauty" --models transition,sequence,fusion \
  --recipe benchmarks/short-histories.toml --out "$results/fusion-amazon-beauty.json"
penchant benchmark "$data/amazon-sports" --models transition,sequence,fusion \
  --out "$results/fusion-amazon-sports.json"
penchant benchmark "$data/ml-1m" "${alone[@]}" --models transition,sequence,fusion \
  --recipe benchmarks/long-histories.toml --out "$results/fusion-ml-1m.json"
penchant benchmark "$data/ml-1m" "${alone[@]}" --models transition,sequence,fusion \
  --recipe benchmarks/long-histories.toml --set sequence.epochs=50 --set sequence.patience=15 \
  --set sequence.negatives=1024 --set sequence.learning_rate=0.002 --set sequence.dropout=0.3 \
  --out "$results/fusion-ml-1m-long.json"
penchant benchmark "$data/lastfm" "${alone[@]}" --models popularity,transition,sequence,fusion \
  --out "$results/fusion-lastfm.json"
penchant benchmark "$data/amazon-3domain" --models transition,sequence,fusion \
  --set sequence.epochs=10 --set search.budget=8 --out "$results/fusion-amazon-3domain.json"
python benchmarks/behaviors.py "$data/retailrocket" "$data/tmall" --out "$results/behaviors.json"
python benchmarks/domains.py "$data/amazon-3domain" --set sequence.epochs=10 \
  --set search.budget=8 --out "$results/domains-amazon.json"
python benchmarks/domains.py "$data/douban-music-book" --set sequence.epochs=3 \
  --set search.budget=1 --out "$results/domains-douban.json"
python benchmarks/content.py "$data/ml-1m" --set transition.ridge=200 --set transition.reverse=0 \
  --set transition.candidates=200 --users 1000 --out "$results/content-ml-1m.json"
python benchmarks/newcomers.py "$data/ml-1m" --protected gender,age --attributes occupation \
  --set transition.ridge=200 --set transition.reverse=0 \
  --out "$results/newcomers-ml-1m.json"
python benchmarks/parts.py "$data/lastfm" --out "$results/parts-lastfm.json"
python benchmarks/explained.py "$data/amazon-beauty" "$data/ml-1m" "${alone[@]}" \
  --out "$results/explained.json"
python benchmarks/interests.py "$data/amazon-beauty" --out "$results/interests-amazon-beauty.json"
bash benchmarks/peers/rectools.sh
python benchmarks/training_speed.py "$data/amazon-beauty" "$data/ml-1m" \
  --limit 60 --out "$results/training-speed.json"
python benchmarks/frontier.py "$data/amazon-beauty" --out "$results/frontier-amazon-beauty"
python benchmarks/seconds.py "$data/amazon-beauty" "$data/amazon-sports" "$data/ml-1m" \
  --out "$results/seconds.json"
python benchmarks/exactness.py "$data/raw/ml-100k" --out "$results/exactness.json"
python benchmarks/impressions.py "$data/raw/bing-news-dkn-sample" --out "$results/impressions.json"
python benchmarks/sounds.py --out "$results/sounds.json"
python benchmarks/new_item.py --out "$results/new-item.json"
python benchmarks/serving_load.py "$without/served" --make --text
python benchmarks/serving_load.py "$without/served" --out "$results/serving.json" \
  ${PENCHANT_POSTGRES:+--postgres "$PENCHANT_POSTGRES"} # an empty database
python benchmarks/privacy_curve.py "$data/ml-1m" --set content.image=none --set sequence.embedding_size=32 \
  --set sequence.layers=1 --set sequence.max_length=30 --set privacy.passes=10 \
  --out "$results/privacy-ml-1m.json"
python benchmarks/forgetting.py "$data/ml-1m" --out "$results/forgetting-ml-1m.json"
python benchmarks/federated.py "$data/raw/ml-100k" --out "$results/federated.json"
python benchmarks/queries.py "$data/ml-1m" --out "$results/queries-ml-1m.json"
python benchmarks/enrichment.py "$data/ml-1m" --items 1000 --serve --out "$results/enrichment.json"
python benchmarks/tables.py
