#!/usr/bin/env bash
# Tries the set-up where nothing is set up: a bare Debian root with neither node_modules nor Vulkan nor git.
#
#   sudo scripts/verify-clean-root.sh                                # set-up and a compute shader
#   sudo scripts/verify-clean-root.sh "npm test" "npm run demo"      # and then these, in the same root
#
# What it does: makes the root with debootstrap from the mirror that this machine uses, copies this machine's Node, npm and
# their configuration of the registry into it, clones the last commit of this repository, and runs
#   1. scripts/setup.mjs as a user who may install nothing: it must end with the sentence that says what to do;
#   2. scripts/setup.mjs as root: it must install everything; then a compute shader; then set-up again, which must be quick;
#   3. the commands given as arguments.
# Needs Debian or Ubuntu, root, debootstrap, about 2 GB in ROOT. Environment: ROOT (default /var/tmp/ddad-clean-root),
# SUITE (bookworm), KEEP=1 keeps the root afterwards; NPM=10.9.9 takes that release of npm instead of this machine's.
set -euo pipefail

root=${ROOT:-/var/tmp/ddad-clean-root}
suite=${SUITE:-bookworm}
repository=$(cd "$(dirname "$0")/.." && pwd)

[ "$(id -u)" = 0 ] || { echo "verify-clean-root: run it as root (debootstrap and chroot need it)"; exit 2; }
command -v debootstrap > /dev/null || { echo "verify-clean-root: install debootstrap first"; exit 2; }
[ ! -e "$root" ] || { echo "verify-clean-root: $root is in the way, remove it first"; exit 2; }
[ "${KEEP:-}" = 1 ] || trap 'rm -rf --one-file-system "$root"' EXIT

say() { printf '\n== %s\n' "$*"; }

# The mount namespace of its own takes /proc away again when the command ends, however it ends.
inside() {
  unshare --mount --pid --fork --mount-proc="$root/proc" chroot "$@"
}
as_root() {
  inside "$root" /usr/bin/env -i HOME=/srv PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin bash -c "cd /srv/ddad && $1"
}
as_user() {
  inside --userspec=1000:1000 "$root" /usr/bin/env -i HOME=/home/user PATH=/usr/local/bin:/usr/bin:/bin bash -c "cd /home/user/ddad && $1"
}

say "a bare $suite root in $root"
mirror=$(apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Identifier: Packages' | awk '$1 !~ /[-\/]/ { print $2; exit }')
debootstrap --variant=minbase "$suite" "$root" "$mirror" > "$root.log" 2>&1 || { tail -20 "$root.log"; exit 1; }
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp /etc/hosts "$root/etc/hosts"
# How this machine reaches its mirror (a proxy, a snapshot whose dates have passed) is not what is tried here.
apt-config dump | grep '^Acquire::' > "$root/etc/apt/apt.conf.d/90machine" || true

say "node $(node --version), npm ${NPM:-$(npm --version)}"
npm_folder=$(dirname "$(dirname "$(readlink -f "$(command -v npm)")")")
mkdir -p "$root/usr/local/bin" "$root/usr/local/lib/node_modules"
cp "$(readlink -f "$(command -v node)")" "$root/usr/local/bin/node"
if [ -n "${NPM:-}" ]; then
  (cd "$root/tmp" && npm pack --silent "npm@$NPM" > /dev/null && tar xzf "npm-$NPM.tgz" && mv package "$root/usr/local/lib/node_modules/npm")
else
  cp -a "$npm_folder" "$root/usr/local/lib/node_modules/npm"
fi
ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
ln -s ../lib/node_modules/npm/bin/npx-cli.js "$root/usr/local/bin/npx"
chroot "$root" useradd --create-home --uid 1000 user
registry=$(npm config get registry 2> /dev/null)
authority=$(npm config get cafile 2> /dev/null)
for home in "$root/srv" "$root/home/user"; do
  { cat ~/.npmrc 2> /dev/null || true; echo; echo "registry=$registry"; } > "$home/.npmrc"
  if [ -f "$authority" ]; then
    cp "$authority" "$root/usr/local/share/npm-authorities.crt"
    echo "cafile=/usr/local/share/npm-authorities.crt" >> "$home/.npmrc"
  fi
  git clone --quiet --no-hardlinks "file://$repository" "$home/ddad"
done
chown -R 1000:1000 "$root/home/user"

say "1. set-up by a user who may install nothing"
if output=$(as_user "node scripts/setup.mjs" 2>&1); then
  echo "$output"; echo "FAILED: it should have said that no adapter can be installed"; exit 1
fi
echo "$output"
grep -q "^setup: no WebGPU adapter was found, and this account may not install one" <<< "$output" || { echo "FAILED: the sentence is missing"; exit 1; }
rm -rf "$root/home/user/ddad"

say "2. set-up by root, a compute shader, set-up again"
as_root "time node scripts/setup.mjs"
as_root "node --input-type=module" << 'EOF'
import { create, globals } from "webgpu";
Object.assign(globalThis, globals, { gpu: create([]) });
const device = await (await globalThis.gpu.requestAdapter()).requestDevice();
const code = "@group(0) @binding(0) var<storage, read_write> x: array<u32>; @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) i: vec3u) { x[i.x] = i.x * i.x; }";
const pipeline = device.createComputePipeline({ layout: "auto", compute: { module: device.createShaderModule({ code }) } });
const buffer = device.createBuffer({ size: 256, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
const result = device.createBuffer({ size: 256, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
const encoder = device.createCommandEncoder();
const pass = encoder.beginComputePass();
pass.setPipeline(pipeline);
pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries: [{ binding: 0, resource: { buffer } }] }));
pass.dispatchWorkgroups(1);
pass.end();
encoder.copyBufferToBuffer(buffer, 0, result, 0, 256);
device.queue.submit([encoder.finish()]);
await result.mapAsync(GPUMapMode.READ);
const right = [...new Uint32Array(result.getMappedRange())].every((value, index) => value === index * index);
console.log(right ? "compute shader: right" : "compute shader: wrong");
process.exit(right ? 0 : 1);
EOF
as_root "time node scripts/setup.mjs"
left=$(find "$root/etc/apt" -newer "$root/etc/apt/apt.conf.d/90machine" -type f; find "$root/tmp" -maxdepth 1 -name 'ddad-*')
[ -z "$left" ] || { echo "FAILED: set-up left files behind: $left"; exit 1; }

for command in "$@"; do
  say "3. $command"
  as_root "time $command"
done
say "everything passed"
