#!/usr/bin/env bash
# Packs what a Linux host needs to measure and test this checkout without a network into .gpu/ in the project's root: Node, the
# modules, the build, a Vulkan loader and, where present, reference data and the peers. No sources: these travel as they are.
#
#   bench/host/pack.sh        # on the same platform as the host (x64 or arm64), after `npm run setup`
#
# Reference data: $DDAD_SHARED, else the folder `shared` beside the checkout. Peers: where `npm ci --prefix bench/peers` was run.
set -euo pipefail
cd "$(dirname "$0")/../.."
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

add_node() {
  cp "$(readlink -f "$(command -v node)")" "$stage/node"
  strip --strip-debug "$stage/node" 2> /dev/null || true # only smaller without
}

# The loader, and what NVIDIA's driver for it links to, which images without a display lack.
add_loader() {
  local packages=(libvulkan1 libegl1 libglvnd0 libglx0 libgl1 libx11-6 libxext6 libxcb1 libxau6 libxdmcp6 libbsd0 libmd0)
  mkdir "$stage/debs"
  if ! (cd "$stage/debs" && apt-get -o APT::Sandbox::User=root download -qq "${packages[@]}") > /dev/null 2>&1; then
    echo "pack: apt-get gives no Vulkan loader here, so the host must have its own"
  fi
  mkdir -p "$stage/unpacked/usr/lib" "$stage/lib"
  for deb in "$stage"/debs/*.deb; do [ ! -f "$deb" ] || dpkg -x "$deb" "$stage/unpacked"; done
  find "$stage/unpacked/usr/lib" -name '*.so*' -exec cp -P -t "$stage/lib" {} +
  rm -r "$stage/debs" "$stage/unpacked"
}

add_reference_data() {
  local shared=${DDAD_SHARED:-../shared}
  [ -d "$shared/golden" ] || { echo "pack: no $shared/golden: tests that read it will be skipped"; return; }
  mkdir "$stage/shared"
  cp -r "$shared/golden" "$stage/shared/"
}

npm run --silent build
mkdir -p .gpu # results of an earlier host may lie in it, see measure.sh
rm -f .gpu/*.tar.xz
add_node
add_loader
add_reference_data
node bench/host/copy-modules.mjs "$stage"
tar -C "$stage" -cf - . | xz -T0 > .gpu/host.tar.xz
find packages/*/dist bench/dist -name '*.js' | tar -cJf .gpu/dist.tar.xz -T -
echo "$(git rev-parse --short HEAD 2> /dev/null) packed $(date -u +%FT%TZ)" > .gpu/packed
du -h .gpu/*.tar.xz
