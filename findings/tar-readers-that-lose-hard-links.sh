#!/usr/bin/env bash
# Unpackers from npm that lose a file which a tar holds as a hard link.
#
# POSIX.1-2017, pax, "ustar Interchange Format", typeflag 1: a link to another file of the same archive. GNU tar writes one for every further name of a file. Of an archive of
# app/a and app/b, two names of one file:
#   @andrewbranch/untar.js 1.0.4 lists app/a alone; the second name is left out without a word.
#   decompress 4.2.1 fails: it looks for the link's target in the working directory of the process instead of the folder that it unpacks to.
# tar 7.5.23, tar-fs 3.1.3 and modern-tar 0.8.6 make both names.
#
# Seen on 2026-11-30: the expected lines at the end.
set -eu
for tool in npm node tar; do command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }; done
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"

npm init -y >/dev/null
npm install --silent --no-audit --no-fund @andrewbranch/untar.js@1.0.4 decompress@4.2.1 tar@7.5.23 tar-fs@3.1.3 modern-tar@0.8.6 >/dev/null 2>&1
mkdir -p tree/app && echo one >tree/app/a && ln tree/app/a tree/app/b
tar -C tree --format=ustar -cf app.tar app/a app/b
cat >unpack.mjs <<'JS'
import fs from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { untar } from '@andrewbranch/untar.js';
import decompress from 'decompress';
import * as tar from 'tar';
import tarFs from 'tar-fs';
import { unpackTar } from 'modern-tar/fs';

const bytes = fs.readFileSync('app.tar');
const read = () => fs.createReadStream('app.tar');
const made = (folder) => fs.readdirSync(`${folder}/app`).sort().join(' ');
const tell = async (name, unpack) => {
  fs.mkdirSync(name);
  try { console.log(`${name}: ${await unpack()}`); }
  catch (error) { console.log(`${name}: fails with ${error.code} for the link target ${error.path}`); }
};
await tell('untar.js', () => untar(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)).map((file) => file.filename).join(' '));
await tell('decompress', async () => { await decompress('app.tar', 'decompress'); return made('decompress'); });
await tell('tar', async () => { await tar.x({ file: 'app.tar', cwd: 'tar' }); return made('tar'); });
await tell('tar-fs', async () => { await pipeline(read(), tarFs.extract('tar-fs')); return made('tar-fs'); });
await tell('modern-tar', async () => { await pipeline(read(), unpackTar('modern-tar')); return made('modern-tar'); });
JS
node unpack.mjs >seen

cat >expected <<'TEXT'
untar.js: app/a
decompress: fails with ENOENT for the link target app/a
tar: a b
tar-fs: a b
modern-tar: a b
TEXT
cat seen
diff expected seen && echo "as described"
