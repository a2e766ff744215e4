# shellcheck shell=bash
# Sourced in the project's root on the host: unpacks .gpu where that has not been done, and tells Node and Vulkan where things are.
# An installed checkout (node_modules is a folder) is used as it is.

# Outside of the project, whose copy may be sent anew with every command.
GPU_HOME=${GPU_HOME:-/tmp/ddad-host}

# A bare host may lack xz; its Python does not.
unpack() {
  if command -v xz > /dev/null; then tar -xJf "$1" -C "$2"; else python3 -W ignore -m tarfile -e "$1" "$2"; fi
}

unpack_host() {
  cmp -s .gpu/packed "$GPU_HOME/packed" && return
  rm -rf "$GPU_HOME" && mkdir -p "$GPU_HOME" && unpack .gpu/host.tar.xz "$GPU_HOME" || return
  mkdir -p "$GPU_HOME/node_modules/@ddad"
  chmod +x "$GPU_HOME/node"
  cp .gpu/packed "$GPU_HOME/"
}

unpack_build() {
  cmp -s .gpu/packed bench/dist/packed && return
  unpack .gpu/dist.tar.xz . && cp .gpu/packed bench/dist/
}

link_modules() {
  ln -sfn "$GPU_HOME/node_modules" node_modules
  local folder
  for folder in packages/*/; do ln -sfn "$PWD/${folder%/}" "node_modules/@ddad/$(basename "$folder")"; done
  [ ! -d "$GPU_HOME/peers" ] || [ -e bench/peers/node_modules ] || ln -sfn "$GPU_HOME/peers/node_modules" bench/peers/node_modules
}

# Containers get NVIDIA's driver mounted without a loader, and its description in a place where no loader looks.
find_vulkan() {
  ldconfig -p 2> /dev/null | grep -q 'libvulkan\.so\.1' || export LD_LIBRARY_PATH="$GPU_HOME/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
  local share=/usr/local/nvidia/share file
  for file in $share/vulkan/icd.d/nvidia_icd.json /usr/share/vulkan/icd.d/nvidia_icd.json /etc/vulkan/icd.d/nvidia_icd.json; do
    [ -f "$file" ] && export VK_DRIVER_FILES="${VK_DRIVER_FILES:-$file}" && break
  done
  file=$share/glvnd/egl_vendor.d/10_nvidia.json
  [ ! -f "$file" ] || export __EGL_VENDOR_LIBRARY_FILENAMES="${__EGL_VENDOR_LIBRARY_FILENAMES:-$file}"
  export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/tmp}"
}

enter() {
  [ -f .gpu/packed ] || { echo "enter: neither node_modules nor .gpu is here: make it with bench/host/pack.sh"; return 1; }
  unpack_host && unpack_build && link_modules && find_vulkan || return
  export PATH="$GPU_HOME:$PATH"
  [ ! -d "$GPU_HOME/shared" ] || export DDAD_SHARED="$GPU_HOME/shared"
}

if [ -L node_modules ] || [ ! -d node_modules ]; then enter; fi
