#!/usr/bin/env bash
# Measures and tests the project on a GPU host; needs the checkout and .gpu (see pack.sh), or an installed checkout.
#
#   bench/host/measure.sh basics          # then `tuning`, then `details`; or single steps, listed in ../README.md
#
# LIMIT=570    seconds that a call may take: it ends in time, and lists the steps that got no time
# SMALL=1      sizes that a software adapter bears: a rehearsal, no measurement
# OUT=runs     a folder that comes home: after every step it gets results.tar.gz, all logs and results so far
# To resume on a fresh host, unpack results.tar.gz into .gpu/results before the call.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
started=$SECONDS
LIMIT=${LIMIT:-570} SMALL=${SMALL:-} OUT=${OUT:-runs}
scratch=${TMPDIR:-/tmp}/ddad-measure results=$scratch/results
mkdir -p "$OUT" "$scratch"
[ -d "$results" ] || [ ! -d .gpu/results ] || cp -r .gpu/results "$results"
mkdir -p "$results"
# Choices of variants that this machine remembers would hide how they are chosen without; the steps name the file where they tune.
export DDAD_TUNING=off
# NVIDIA's driver keeps 1 GB of compiled shaders at most, and drops old ones on its own; here every one is to be kept.
export HOME=${HOME:-/root} __GL_SHADER_DISK_CACHE_SIZE=8000000000 __GL_SHADER_DISK_CACHE_SKIP_CLEANUP=1
# shellcheck source=bench/host/enter.sh
. bench/host/enter.sh || exit
# shellcheck source=bench/host/steps.sh
. bench/host/steps.sh

elapsed() { echo $((SECONDS - started)); }

# Seconds since its start before each line, and none of Dawn's remarks on limits.
stamp() {
  local line begun=${EPOCHREALTIME/./}
  while IFS= read -r line; do
    case $line in "Warning: max"*" artificially reduced "*) continue ;; esac
    local now=$(((${EPOCHREALTIME/./} - begun) / 1000))
    printf '%4d.%03d  %s\n' $((now / 1000)) $((now % 1000)) "$line"
  done
}

# part SECONDS NAME SHOW COMMAND...: runs a command, its output in NAME.log and as much of it here as show_SHOW lets through. One that
# fails or takes too long (exit 124) does not end the others.
part() {
  local limit=$1 name=$2 show=$3 begun=$SECONDS status left=$((LIMIT - $(elapsed)))
  shift 3
  if ((left < 10)); then
    echo "== $name: no time left" | tee -a "$results/failed.txt"
    return
  fi
  timeout -k 5 $((left < limit ? left : limit)) "$@" 2>&1 | stamp > "$results/$name.log"
  status=${PIPESTATUS[0]}
  echo "== $name: exit $status after $((SECONDS - begun)) s"
  ((status == 0)) || echo "$name: exit $status" >> "$results/failed.txt"
  "show_$show" < "$results/$name.log" | cut -c1-200
}
show_all() { cat; }
show_end() { tail -n 12; }
show_cases() { grep -aE 'ceilings:|[%–]  [0-9]+ dispatches|no time|skipped|[Ee]rror'; } # without the profiles
show_tests() { sed -nE '/ [0-9]+ (passing|pending)/p; / [0-9]+ failing$/,$p' | head -n 80; }
show_ratios() { grep -aE 'ms .* ms |geometric mean'; }
show_nothing() { cat > /dev/null; }

# compare BEFORE AFTER: two results, where both are there.
compare() {
  [ -f "$results/$1.json" ] && [ -f "$results/$2.json" ] || return 0
  part 20 "compare-$1-$2" ratios node bench/dist/compare.js "$results/$1.json" "$results/$2.json"
}

steps_of() {
  case $1 in
    basics) echo doctor first layers torch engine parity ;;
    tuning) echo tune tuned torch-last ;;
    details) echo kernels peers memory training others ;;
    *) echo "$1" ;;
  esac
}

run_step() {
  local begun=$SECONDS
  declare -F "step_$1" > /dev/null || { echo "measure: there is no step $1"; exit 2; }
  echo "=== $1 (at $(elapsed) s)"
  "step_$1"
  tar -czf "$OUT/results.tar.gz" -C "$results" .
  echo "=== $1 took $((SECONDS - begun)) s"
}

rm -f "$results/failed.txt"
echo "set up in $(elapsed) s: node $(node --version), $(nproc) processors"
for group in "${@:-basics}"; do
  for step in $(steps_of "$group"); do run_step "$step"; done
done
[ ! -f "$results/failed.txt" ] || { echo "not everything ended well:"; cat "$results/failed.txt"; exit 1; }
