# shellcheck shell=bash disable=SC2154,SC2034
# The steps of measure.sh, which brings `part`, `compare` and the folders. Every step can be run by itself.

bench=(node bench/dist/main.js)
ddad=(node packages/cli/bin/ddad.js)
mocha=(node "--conditions=@ddad/source" --import tsx node_modules/mocha/bin/mocha.js --reporter spec --timeout 120000)
images=$scratch/images

# What is measured: cases whose names contain these, of sizes that the adapter bears.
if [ -z "$SMALL" ]; then
  device=cuda quick=() layers='DDAD-S 256²' torch='' kernels='' convolutions='to 128 channels' tests=.
  tuned=('256²: training step, batch 16, mixed' '256²: forward pass') others=('block' '64²')
  size=256 training=(--set data.heldOut=0.1 --set training.batchSize=16) steps=300 peers=(--large --rounds 10)
else
  device=cpu quick=(--quick) layers='residual block' torch=$layers kernels=groupNorm convolutions=groupNorm
  tests='group norm|groupNorm|UNet|ONNX' tuned=('block forward') others=('attention block')
  size=64 training=(--set data.imageSize=64 --set training.batchSize=2) steps=3
  peers=(--case 'residual block [2, 32, 32, 64], forward' --rounds 3)
fi

make_images() {
  [ -d "$images/$size/tile" ] || node --input-type=module -e '
    const [url, folder, size] = process.argv.slice(1);
    const { writeProcedural } = await import(url);
    writeProcedural(folder, { category: "tile", size: Number(size), train: 40, testGood: 4, testPerDefect: 2 });
  ' "file://$PWD/packages/node/dist/index.js" "$images/$size" "$size"
}

# train SECONDS NAME SHOW PRESET ARGUMENTS...
train() {
  local limit=$1 name=$2 show=$3 preset=$4
  shift 4
  make_images
  part "$limit" "$name" "$show" "${ddad[@]}" train --preset "$preset" --data "$images/$size/tile" --out "$scratch/run" --overwrite "$@"
}

# layers SECONDS NAME FILTER
layers() { part "$1" "$2" cases "${bench[@]}" --layers --profile "${quick[@]}" --filter "$3" --json "$results/$2.json"; }

# torch NAME ARGUMENTS...
torch() {
  local name=$1
  shift
  part 150 "$name" all python3 -u bench/torch.py --device $device "${quick[@]}" --filter "$torch" --json "$results/$name.json" "$@"
}

step_doctor() {
  nvidia-smi --query-gpu=name,driver_version,memory.total,clocks.sm,clocks.max.sm --format=csv,noheader 2> /dev/null
  part 90 doctor all "${ddad[@]}" doctor
}

# From the start of the process to the first step of training, nothing compiled yet; then what the driver's cache is worth.
step_first() {
  local name
  for name in mixed f32 mixed-again; do
    train 100 "first-$name" end ddad-s "${training[@]}" --set "precision=${name%-again}" --set training.steps=50 --stop-after 1
  done
}

step_layers() { layers 200 layers "$layers"; }
step_engine() { part 60 engine all "${bench[@]}" --engine "${quick[@]}" --json "$results/engine.json"; }
step_torch() { torch torch && compare layers torch; }
step_torch-last() { torch torch-last --channels-last && compare layers torch-last; }

# All at once: what takes time is the references in JavaScript.
step_parity() {
  local folder
  for folder in kernels-wgsl tensor nn; do
    part 280 "parity-$folder" tests "${mocha[@]}" --grep "$tests" "packages/$folder/test/*.test.ts" &
  done
  wait
}

# A further call resumes where this one stopped: every choice is stored at once, those with the most work first.
step_tune() {
  local filter
  for filter in "${tuned[@]}"; do
    DDAD_TUNING=$results/tuning.json part 190 "tune-${filter//[^a-z]/}" end "${bench[@]}" --layers --tune "${quick[@]}" --filter "$filter"
  done
}
step_tuned() {
  DDAD_TUNING=$results/tuning.json layers 150 tuned "$layers"
  compare layers tuned
  compare tuned torch
  compare tuned torch-last
}

step_kernels() {
  part 260 kernels all "${bench[@]}" --kernels "${quick[@]}" --filter "$kernels" --json "$results/kernels.json"
  compare kernels torch
  compare kernels torch-last
}
step_variants() {
  part 240 variants all "${bench[@]}" --kernels --variants all "${quick[@]}" --filter "$convolutions" --json "$results/variants.json"
}
step_others() {
  local filter name
  for filter in "${others[@]}"; do
    name=others-${filter//[^a-z0-9]/}
    layers 90 "$name" "$filter"
    compare "$name" torch
    compare "$name" torch-last
  done
}

step_peers() { part 280 peers all node bench/peers/run.mjs "${peers[@]}" --json "$results/peers.json"; }

# Long enough for several lines of its rate, of which there is one in ten seconds.
step_training() { train 90 training end ddad-s "${training[@]}" --set precision=mixed --set training.steps=1000 --stop-after $steps; }

# The published network within 8 GB: what is planned, and what the card says.
step_memory() {
  local watcher='' limit=90
  [ -z "$SMALL" ] || limit=20 # seconds: enough for the plan
  if command -v nvidia-smi > /dev/null; then
    nvidia-smi --query-gpu=memory.used --format=csv,noheader -lms 500 > "$results/memory-used.log" &
    watcher=$!
  fi
  train $limit memory end mvtec/screw --memory 8GB --stop-after 1
  [ -z "$watcher" ] || { kill "$watcher"; echo "most memory used: $(sort -n "$results/memory-used.log" | tail -n 1)"; }
}
