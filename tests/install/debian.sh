#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# debian.sh SOURCE_ROOT: the Debian packages build in a clean chroot of Debian 13, please lintian, install in another one,
# draw a picture and leave nothing behind. Root and debootstrap are needed; FUM_DEBIAN_MIRROR names another mirror.
set -euo pipefail
source_root=$(realpath "$1")
[ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null || { echo "needs root and debootstrap"; exit 77; }
mirror=${FUM_DEBIAN_MIRROR:-} # debootstrap's own if empty
packages=(fumarole fumarole-models libfumarole-dev libfumarole0)

work=$(mktemp -d)
leave() {
    for root in build use; do
        for mounted in proc dev; do umount "$work/$root/$mounted" 2>/dev/null || true; done
    done
    # What is still mounted is not removed.
    rm -rf --one-file-system "$work"
}
trap leave EXIT

fail() {
    echo "FAILED: $*"
    exit 1
}

# inside ROOT COMMAND: runs a shell command in a chroot.
inside() {
    DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 chroot "$work/$1" bash -euc "$2"
}

# Makes a chroot with the settings that apt has here.
make_root() {
    debootstrap --variant="$2" trixie "$work/$1" ${mirror:+"$mirror"} >"$work/$1.log" || { tail -5 "$work/$1.log"; return 1; }
    cp /etc/resolv.conf "$work/$1/etc/"
    cp -n /etc/apt/apt.conf.d/99* "$work/$1/etc/apt/apt.conf.d/" 2>/dev/null || true
    mount -t proc proc "$work/$1/proc"
    mount --bind /dev "$work/$1/dev"
    inside "$1" "apt-get -q update" >>"$work/$1.log"
}

# ---- building ----

make_root build buildd || { echo "no chroot of Debian"; exit 77; }
mkdir -p "$work/build/src/fumarole"
if git -C "$source_root" rev-parse HEAD >/dev/null 2>&1; then
    git -C "$source_root" ls-files -z | tar -C "$source_root" --null -T - -c | tar -x -C "$work/build/src/fumarole"
else
    tar -C "$source_root" --exclude='./build*' -c . | tar -x -C "$work/build/src/fumarole"
fi
inside build "apt-get -q -y build-dep /src/fumarole && apt-get -q -y --no-install-recommends install lintian" >"$work/apt.log" ||
    { tail -5 "$work/apt.log"; exit 1; }
inside build "cd /src/fumarole && dpkg-buildpackage -us -uc -b" >"$work/build.log" 2>&1 || { tail -20 "$work/build.log"; exit 1; }
inside build "lintian --allow-root --fail-on error,warning /src/*.changes" || fail "lintian complains"

# ---- use ----

make_root use minbase || exit 1
mkdir "$work/use/debs"
for package in "${packages[@]}"; do
    cp "$work"/build/src/"${package}"_*.deb "$work/use/debs/" || fail "no package $package"
done
inside use "apt-get -q -y install /debs/*.deb" >"$work/install.log" 2>&1 || { tail -20 "$work/install.log"; fail "not installed"; }
inside use "cd /tmp && fumarole generate -q 'a smiling cat face' --seed 5 --steps 4 -o cat.png && fumarole metadata cat.png" |
    grep 'a smiling cat face' >/dev/null || fail "no cat"
# A program of one's own against the library.
inside use "apt-get -q -y --no-install-recommends install gcc libc6-dev pkgconf" >>"$work/install.log" 2>&1
inside use "cd /tmp && printf '#include <fumarole/core.h>\nint main(void) { return !fum_version(); }\n' >own.c &&
    gcc own.c \$(pkg-config --cflags --libs fumarole) -o own && ./own" || fail "no program with the library"
inside use "apt-get -q -y purge ${packages[*]}" >"$work/remove.log" 2>&1 || { tail "$work/remove.log"; fail "not removed"; }
left=$(inside use "find / -xdev -iname '*fumarole*' -not -path '/tmp/*' -not -path '/debs/*' -not -path '/proc/*' \
    -not -path '*/.cache/*' -not -path '/var/log/*'")
[ -z "$left" ] || fail "files are left: $left"
echo "built, installed, drawn with and removed: ${packages[*]}"
