# Sourced by bin/rehearse: each step's time, each load's requests and failures, and the table that they end in.
# shellcheck shell=bash

TABLE=$REHEARSAL_DIR/table.tsv

begin_table() { : >"$TABLE"; }

# row STEP SECONDS REQUESTS FAILED
row() { printf '%s\t%s\t%s\t%s\n' "$@" >>"$TABLE"; }

# timed STEP COMMAND...: run it, quietly, as a step of the table.
timed() {
    local began=$SECONDS name=$1
    shift
    step "$name" "$@"
    row "$name" $((SECONDS - began)) - -
}

# under_load STEP COMMAND...: the same while customers ask, order and keep connections open; counts what they met.
under_load() {
    local began=$SECONDS name=$1 report=$REHEARSAL_DIR/load/${1//[^A-Za-z0-9]/-}.json
    shift
    start_load "$report"
    step "$name" "$@"
    stop_load
    row "$name" $((SECONDS - began)) "$(load_figure "$report" requests)" "$(load_figure "$report" failed)"
}

# load_figure REPORT requests|failed: over all kinds.
load_figure() {
    python3 - "$@" <<'PYTHON'
import json, sys
report, figure = sys.argv[1:]
print(sum(kind[figure] for kind in json.load(open(report, encoding="utf-8"))["kinds"].values()))
PYTHON
}

show_table() {
    printf '\n'
    python3 - "$TABLE" <<'PYTHON'
import sys
rows = [("step", "seconds", "requests", "failed"), ("----", "------:", "-------:", "-----:")]
rows += [tuple(line.rstrip("\n").split("\t")) for line in open(sys.argv[1], encoding="utf-8")]
widths = [max(len(row[column]) for row in rows) for column in range(4)]
for row in rows:
    cells = [row[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
    print("| " + " | ".join(cells) + " |")
PYTHON
}
