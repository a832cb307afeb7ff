#!/usr/bin/env bash
# An image with all that makes images hard, made with the tools that make real ones: dpkg, GNU tar, bsdtar and umoci.
# usage: make-conformance-image.sh FOLDER      writes FOLDER/layer-N.tar and the OCI layout FOLDER/image:gzip
# Needs root (owners, devices, capabilities) and a file system with extended attributes.
set -euo pipefail
export LC_ALL=C.UTF-8 TZ=UTC
umask 022
mkdir -p "$1"
cd "$1"
out=$PWD

posix() { tar --create --format=posix --sort=name --numeric-owner --xattrs --xattrs-include='*' "$@"; }

# 1: packages as dpkg unpacks them, on a merged /usr. A setuid and a setgid program, a sticky folder, links of each kind.
mkdir -p deb/DEBIAN deb/usr/bin deb/usr/share/doc/odd deb/etc deb/var/lib/odd/cache deb/tmp
printf 'Package: odd\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@example.org>\nDescription: odd\n' >deb/DEBIAN/control
cp -p "$(command -v gzip)" deb/usr/bin/gzip-copy
printf '#!/bin/sh\necho odd\n' >deb/usr/bin/odd
chmod 4755 deb/usr/bin/odd
printf 'game\n' >deb/usr/bin/game
chmod 2755 deb/usr/bin/game
chown 0:60 deb/usr/bin/game
chmod 1777 deb/tmp
ln deb/usr/bin/odd deb/usr/bin/odd-by-another-name
ln -s odd deb/usr/bin/odd-link
ln -s /etc/odd.conf deb/usr/share/doc/odd/conf
ln -s nowhere/at/all deb/usr/share/doc/odd/dangling
printf 'a=1\n' >deb/etc/odd.conf
printf 'secret\n' >deb/etc/shadow-like
chmod 0 deb/etc/shadow-like
printf 'cached\n' >deb/var/lib/odd/cache/one
printf 'cached\n' >deb/var/lib/odd/cache/two
printf 'state\n' >deb/var/lib/odd/state
find deb -exec touch -h -d '2024-02-29 12:34:56' {} +
dpkg-deb --root-owner-group --build -Znone deb odd.deb >/dev/null
mkdir root1
dpkg-deb --extract odd.deb root1
chown 0:60 root1/usr/bin/game
chmod 2755 root1/usr/bin/game
ln -s usr/bin root1/bin
touch -h -d '2024-03-01 00:00:00' root1/bin root1
tar --create --format=gnu --sort=name --numeric-owner --directory=root1 --file=layer-1.tar .

# 2: metadata that old headers cannot hold, and names that are hard to hold at all.
mkdir -p root2/meta root2/names
printf 'capable\n' >root2/meta/capable
chown 1000000:3000000000 root2/meta/capable
setcap cap_net_raw,cap_net_bind_service+ep root2/meta/capable
printf 'attributed\n' >root2/meta/attributed
setfattr -n user.text -v plain root2/meta/attributed
setfattr -n user.binary -v 0x00ff0a3d0d80 root2/meta/attributed
setfattr -n user.empty -v '' root2/meta/attributed
setfattr -n 'user.name with = and %' -v x root2/meta/attributed
mkdir root2/kept
setfattr -n user.on-a-folder -v yes root2/kept
cp -a root2/meta/attributed root2/meta/capable root2/kept
setfattr -n trusted.only-for-root -v 0x0001 root2/meta/attributed
for time in '1901-12-14 00:00:00.5' '1969-12-31 23:59:59.25' '1970-01-01 00:00:00' '2038-01-19 03:14:08.123456789' '2040-01-01 00:00:00' '2242-12-31 00:00:00.000000001'; do
  printf '%s\n' "$time" >"root2/meta/time ${time%%-*}"
  touch -d "$time" "root2/meta/time ${time%%-*}"
done
ln -s "time 1970" root2/meta/link-with-time
touch -h -d '2001-02-03 04:05:06.789' root2/meta/link-with-time
cd root2/names
printf 1 >$'newline\nin it'
printf 2 >'back\slash'
printf 3 >$'not utf-8 \xff\xfe'
printf 4 >'ünïcödé ☃'
printf 5 >' leading and trailing '
printf 6 >-dash
printf 7 >$'tab\tand \x01 control'
printf 8 >"quotes ' \" \` \$"
printf 9 >'.wh'
printf 10 >__proto__
long=$(printf 'long%.0s' {1..50})
printf 11 >"$long"
mkdir -p "$long-1/$long-2"
printf 12 >"$long-1/$long-2/file"
ln -s "$long-1/$long-2/file" link-to-long
ln "$long-1/$long-2/file" hard-link-to-long
printf 13 >"$(printf 'not utf-8 and long \xe4%.0s' {1..10})"
cd "$out"
find root2/names root2/kept -exec touch -h -d '2024-03-02 00:00:00.5' {} +
touch -d '2024-03-02 00:00:00.5' root2/meta root2
posix --directory=root2 --file=layer-2.tar .

# 3: files with holes, devices, a FIFO, a large file and empty ones.
mkdir -p root3/dev root3/data
mknod root3/dev/null c 1 3
mknod root3/dev/disk b 259 300000
mkfifo root3/dev/fifo
truncate -s 40M root3/data/hole
printf 'in the middle' | dd of=root3/data/hole bs=1 seek=20000000 conv=notrunc status=none
truncate -s 30M root3/data/hole-at-the-end
printf 'at the start' | dd of=root3/data/hole-at-the-end conv=notrunc status=none
truncate -s 2M root3/data/nothing-but-a-hole
truncate -s 100K root3/data/small-hole
printf 'tail' >>root3/data/small-hole
for i in $(seq 0 40); do printf 'run %s' "$i" | dd of=root3/data/many-holes bs=1 seek=$((i * 300000)) conv=notrunc status=none; done
openssl enc -aes-128-ctr -K 00 -iv 00 -nosalt -in /dev/zero 2>/dev/null | head -c 5000000 >root3/data/random || true
cp root3/data/random root3/data/random-kept
: >root3/data/empty
touch -d '2024-03-03 00:00:00' root3/data/* root3/dev/* root3/data root3/dev root3
posix --sparse --sparse-version=1.0 --directory=root3 --file=layer-3.tar .

# 4: hard links: to a file below, to one of this layer, of a symbolic link; a folder's attributes change.
mkdir -p root4/usr/bin root4/links
cp -p root1/usr/bin/odd root4/usr/bin/odd
ln root4/usr/bin/odd root4/links/to-a-lower-layer
printf 'first\n' >root4/links/a
for name in b c d; do ln root4/links/a "root4/links/$name"; done
ln -s a root4/links/symbolic
ln root4/links/symbolic root4/links/symbolic-too
chmod 2750 root4/links
chown 7:8 root4/links
touch -h -d '2024-03-04 01:02:03' root4/links/* root4/usr/bin root4/usr root4/links root4
# The file itself is in layer 1 only: this layer has just the link to it.
tar --create --format=posix --numeric-owner --directory=root4 --file=layer-4.tar --no-recursion . ./links ./usr ./usr/bin ./usr/bin/odd ./links/to-a-lower-layer ./links/a ./links/b ./links/c ./links/d ./links/symbolic ./links/symbolic-too
tar --delete --file=layer-4.tar ./usr/bin/odd

# 5: whiteouts, of a file, of a folder, of one of several names; an opaque folder with new content.
mkdir -p root5/etc root5/usr/share/doc root5/var/lib/odd/cache root5/links
: >root5/etc/.wh.odd.conf
: >root5/usr/share/doc/.wh.odd
: >root5/var/lib/odd/cache/.wh..wh..opq
printf 'new\n' >root5/var/lib/odd/cache/three
: >root5/links/.wh.a
chmod 2750 root5/links
chown 7:8 root5/links
touch -d '2024-03-05 00:00:00' root5/var/lib/odd/cache/three root5/etc root5/usr/share/doc root5/usr/share root5/usr root5/var/lib/odd/cache root5/var/lib/odd root5/var/lib root5/var root5/links root5
posix --directory=root5 --file=layer-5.tar .

# 6: changes of type, and content behind a symbolic link of a lower layer (bin -> usr/bin); bsdtar writes it.
mkdir -p root6/var/lib/odd/state root6/etc/shadow-like
printf 'a folder now\n' >root6/var/lib/odd/state/file
printf 'so is this\n' >root6/etc/shadow-like/file
mkdir -p root6/data
printf 'a file again\n' >root6/data/empty
ln -s ../names root6/data/random
touch -h -d '2024-03-06 00:00:00.75' root6/var/lib/odd/state/file root6/var/lib/odd/state root6/var/lib/odd root6/var/lib root6/var root6/etc/shadow-like/file root6/etc/shadow-like root6/etc root6/data/* root6/data root6
(cd root6 && bsdtar --create --format=pax --numeric-owner --file="$out/layer-6.tar" .)
mkdir -p root6b/bin
printf 'behind a link\n' >root6b/bin/behind
chmod 755 root6b/bin/behind
touch -d '2024-03-06 00:00:00' root6b/bin/behind
tar --create --format=ustar --numeric-owner --directory=root6b --file=layer-7.tar bin/behind

# 8: attributes replaced and taken away, a file over another, a sparse file in GNU tar's oldest PAX form.
mkdir -p root8/meta root8/data
printf 'attributed again\n' >root8/meta/attributed
setfattr -n user.text -v changed root8/meta/attributed
printf 'not capable any more\n' >root8/meta/capable
truncate -s 3M root8/data/hole
printf 'end' >>root8/data/hole
touch -d '2024-03-08 00:00:00.000000007' root8/meta/* root8/meta root8/data/* root8/data root8
posix --sparse --sparse-version=0.1 --directory=root8 --file=layer-8.tar .

umoci init --layout image
umoci new --image image:gzip
for layer in 1 2 3 4 5 6 7 8; do umoci raw add-layer --image image:gzip "layer-$layer.tar"; done
umoci config --image image:gzip --architecture amd64 --os linux --config.cmd /bin/odd
