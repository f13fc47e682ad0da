#!/bin/sh
# The demo of `make demo`: 2,624 real solar cells, six models from one embedding, one report, and
# two of the models put to work, so that `tenfold up` shows something.
set -eu
tenfold=${1:-tenfold}
tasks=$(dirname "$0")
"$tenfold" doctor
"$tenfold" ingest elpv
"$tenfold" make "$tasks/defect-all.yaml" "$tasks/defect-mono.yaml" "$tasks/defect-poly.yaml" \
    "$tasks/cell-type.yaml" "$tasks/anomaly-mono.yaml" "$tasks/anomaly-poly.yaml"
"$tenfold" deploy solar/cell-type cell-type
"$tenfold" deploy solar/mono-cell anomaly-mono
"$tenfold" watch solar/cell-type
