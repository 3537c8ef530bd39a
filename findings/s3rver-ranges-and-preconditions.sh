#!/usr/bin/env bash
# An S3 server for tests that returns other bytes than were asked for, and lets every conditional write through.
#
# s3rver 3.7.1 (npm), asked by boto3 1.44.8 (PyPI) about an object "0123456789":
#   Range: bytes=-3 (RFC 9110, section 14.1.2: the last three bytes) is answered 206 with the first four, and a Content-Range that says so.
#   A write with If-None-Match: * replaces the object that is there, a write and a removal with an If-Match of another ETag succeed (S3 answers 412).
#
# Seen on 2026-11-30: the expected lines at the end. Code that reads the end of a file first (zip, parquet, an archive's index) reads the beginning, and a
# commit protocol on conditional writes passes its tests without ever being refused.
set -eu
for tool in python3 npm node; do command -v "$tool" >/dev/null || { echo "skipped: $tool is missing"; exit 77; }; done
folder=$(mktemp -d); server=; trap '[ -z "$server" ] || kill "$server"; rm -rf "$folder"' EXIT; cd "$folder"

npm init -y >/dev/null && npm install --silent --no-audit --no-fund s3rver@3.7.1 >/dev/null 2>&1
python3 -m venv python && python/bin/pip -q install boto3==1.44.8
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir store
node node_modules/.bin/s3rver --directory store --address 127.0.0.1 --port "$port" --silent --configure-bucket bucket >server.log 2>&1 &
server=$!
cat >ask.py <<'PY'
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EndpointConnectionError

s3 = boto3.client(
    "s3", endpoint_url=f"http://127.0.0.1:{sys.argv[1]}", aws_access_key_id="S3RVER", aws_secret_access_key="S3RVER", region_name="us-east-1",
    config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
)
key = {"Bucket": "bucket", "Key": "key"}
for attempt in range(100):
    try:
        s3.put_object(**key, Body=b"0123456789")
        break
    except EndpointConnectionError:
        time.sleep(0.2)


def tell(what, call):
    try:
        answer = call()
        print(what, answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("ContentRange", ""), answer["Body"].read().decode() if "Body" in answer else "")
    except ClientError as error:
        print(what, "refused", error.response["Error"]["Code"])


tell("bytes=7-9", lambda: s3.get_object(**key, Range="bytes=7-9"))
tell("bytes=-3", lambda: s3.get_object(**key, Range="bytes=-3"))
tell("If-None-Match: *", lambda: s3.put_object(**key, Body=b"second", IfNoneMatch="*"))
tell("If-Match of another", lambda: s3.put_object(**key, Body=b"third", IfMatch='"00000000000000000000000000000000"'))
tell("read", lambda: s3.get_object(**key))
tell("removal with If-Match of another", lambda: s3.delete_object(**key, IfMatch='"00000000000000000000000000000000"'))
tell("read", lambda: s3.get_object(**key))
PY
python/bin/python ask.py "$port" | sed 's/ *$//' >seen

cat >expected <<'TEXT'
bytes=7-9 206 bytes 7-9/10 789
bytes=-3 206 bytes 0-3/10 0123
If-None-Match: * 200
If-Match of another 200
read 200  third
removal with If-Match of another 204
read refused NoSuchKey
TEXT
cat seen
diff expected seen && echo "as described"
