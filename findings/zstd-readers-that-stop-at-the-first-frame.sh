#!/usr/bin/env bash
# Readers of zstd that return the first of several frames, and say nothing of the rest.
#
# RFC 8878, section 3: "Zstandard compressed data is made up of one or more frames"; the zstd program reads all of them, and so do gzip's readers with
# members. These do not:
#   zstd 1.5.7.2 (PyPI), decompress: the first frame, no error, where the frames do not state their size, as a stream's do not. Where they state it, all frames.
#   zstandard 0.25.0 (PyPI): decompressobj().decompress and read_to_iter return the first frame, no error; stream_reader and open of the same
#   package read all frames.
# pyzstd 0.20.0, backports.zstd 1.8.0 and cramjam 2.14.0 read both frames.
#
# Seen on 2026-11-30: the expected lines at the end. An archive that was compressed in parallel, or grown by appending, loses all but its beginning.
set -eu
for tool in python3 zstd; do command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"

python3 -m venv python
python/bin/pip -q install zstd==1.5.7.2 zstandard==0.25.0 pyzstd==0.20.0 backports.zstd==1.8.0 cramjam==2.14.0
{ printf 'first,' | zstd -q; printf 'second' | zstd -q; } >both.zst
printf 'first,' >first && printf 'second' >second
{ zstd -q -c first; zstd -q -c second; } >sized.zst
cat >read.py <<'PY'
import io

import backports.zstd
import cramjam
import pyzstd
import zstandard
import zstd

data = open("both.zst", "rb").read()
reader = zstandard.ZstdDecompressor
print("zstd.decompress", zstd.decompress(data))
print("zstd.decompress, sizes stated", zstd.decompress(open("sized.zst", "rb").read()))
print("zstandard.decompressobj", reader().decompressobj().decompress(data))
print("zstandard.read_to_iter", b"".join(reader().read_to_iter(io.BytesIO(data))))
print("zstandard.stream_reader", reader().stream_reader(io.BytesIO(data), read_across_frames=True).read())
print("pyzstd.decompress", pyzstd.decompress(data))
print("backports.zstd.decompress", backports.zstd.decompress(data))
print("cramjam.zstd.decompress", bytes(cramjam.zstd.decompress(data)))
PY
python/bin/python read.py >seen
echo "the zstd program $(zstd -q -d -c both.zst)" >>seen

cat >expected <<'TEXT'
zstd.decompress b'first,'
zstd.decompress, sizes stated b'first,second'
zstandard.decompressobj b'first,'
zstandard.read_to_iter b'first,'
zstandard.stream_reader b'first,second'
pyzstd.decompress b'first,second'
backports.zstd.decompress b'first,second'
cramjam.zstd.decompress b'first,second'
the zstd program first,second
TEXT
cat seen
diff expected seen && echo "as described"
