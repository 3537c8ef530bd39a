#!/usr/bin/env python3
"""Load on a repository server, beside nginx with the same files: load.py PROGRAM [SECONDS]

Needs nginx and wrk (Debian: nginx-light, wrk). Prints one line for each measurement, and exits with 1 when a goal is missed:
small GETs at 0.8 of nginx at least, rounds interleaved, neither server writing a log; 1,000 slow connections without effect on
others; 200 downloads of 1 GiB at once within 100 MiB of memory. Build the program with --release, and let nothing else run.
"""

import hashlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROUNDS = 5
SLOW = 1000
DOWNLOADS = 200
GIB = 1 << 30


def target(group, name, version, digest):
    shard = hashlib.sha256(group.encode()).hexdigest()[:2]
    return f"targets/{shard}/{group}/{name}/{version}/{digest}.{name}-{version}-any.copkg"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start_server(program, store):
    subprocess.run([program, "init", "--store", f"file://{store}"], check=True, capture_output=True)
    command = [program, "serve", "--store", f"file://{store}", "--listen", "127.0.0.1:0", "--log", "error"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, int(process.stdout.readline().rsplit(":", 1)[1])


def start_nginx(store, work):
    port = free_port()
    config = work / "nginx.conf"
    config.write_text(f"""
        worker_processes 2; daemon off; pid {work}/nginx.pid; error_log {work}/error.log;
        events {{ worker_connections 4096; }}
        http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000;
          server {{ listen 127.0.0.1:{port} backlog=4096; root {store}; }} }}
    """)
    process = subprocess.Popen(["nginx", "-c", str(config), "-e", f"{work}/error.log"], stderr=subprocess.DEVNULL)
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.1)
    raise SystemExit("nginx does not start")


def requests_per_second(port, path, seconds):
    command = ["wrk", "-t", "2", "-c", "64", "-d", f"{seconds}s", f"http://127.0.0.1:{port}/{path}"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in said:
        raise SystemExit(said)
    return float(re.search(r"Requests/sec:\s+([\d.]+)", said).group(1))


def connect(port, text):
    client = socket.create_connection(("127.0.0.1", port), timeout=60)
    client.sendall(text.encode())
    return client


def memory(process, field):
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(rf"{field}:\s+(\d+)", status).group(1)) / 1024


def small_gets(ours, theirs, path, seconds):
    pairs = []
    for _ in range(ROUNDS):
        pairs.append((requests_per_second(ours, path, seconds), requests_per_second(theirs, path, seconds)))
    own, other = (statistics.median(column) for column in zip(*pairs))
    ratio = statistics.median(own / other for own, other in pairs)
    name = path.split("/")[-1][-24:]
    print(f"small GETs of …{name}: {own:.0f}/s, nginx {other:.0f}/s, ratio {ratio:.2f} (goal 0.80)", flush=True)
    return ratio >= 0.8


def settle(process):
    """Waits until a process does nothing: until what it can send ahead has been sent."""
    def used():
        return sum(map(int, Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]))

    before = used()
    for _ in range(60):
        time.sleep(0.5)
        now = used()
        if now == before:
            return
        before = now


def slow_connections(process, port, path, large, seconds):
    before = requests_per_second(port, path, seconds)
    # One half sends its head slowly, the other half takes its answer slowly.
    heads = [connect(port, "GET / HTTP/1.1\r\nx: ") for _ in range(SLOW // 2)]
    takers = [connect(port, f"GET /{large} HTTP/1.1\r\nhost: a\r\n\r\n") for _ in range(SLOW // 2)]
    for taker in takers:
        taker.recv(1024)
    settle(process)
    during = requests_per_second(port, path, seconds)
    held = sum(taker.recv(1) != b"" for taker in takers)
    for client in heads + takers:
        client.close()
    print(f"{SLOW} slow connections: {during:.0f}/s beside them, {before:.0f}/s without, {held} of {len(takers)} takers held")
    return during >= 0.7 * before and held == len(takers)


def downloads(process, port, large, seconds):
    clients = [connect(port, f"GET /{large} HTTP/1.1\r\nhost: a\r\n\r\n") for _ in range(DOWNLOADS)]
    end = time.monotonic() + seconds
    taken = [0] * len(clients)

    def take(first):
        buffer = bytearray(1 << 16)
        while time.monotonic() < end:
            for number in range(first, len(clients), 4):
                taken[number] += clients[number].recv_into(buffer)

    threads = [threading.Thread(target=take, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    peak = memory(process, "VmHWM")
    for client in clients:
        client.close()
    least = min(taken)
    print(f"{DOWNLOADS} downloads of 1 GiB at once: {peak:.0f} MiB at most (goal 100), {sum(taken) / seconds / 1e6:.0f} MB/s, the slowest got {least / 1e6:.1f} MB")
    return peak <= 100 and least > 0


def main():
    program = sys.argv[1]
    seconds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        store = work / "store"
        store.mkdir()
        work.chmod(0o755)
        server, ours = start_server(program, store)
        # A file of a repository lies under its digest; a server reads the name alone, as a host checks the bytes.
        small = target("com.example", "small", "1", hashlib.sha256(b"x" * 1000).hexdigest())
        large = target("com.example", "large", "1", "0" * 64)
        (store / small).parent.mkdir(parents=True)
        (store / large).parent.mkdir(parents=True)
        (store / small).write_bytes(b"x" * 1000)
        with (store / large).open("wb") as file:
            file.truncate(GIB)
        nginx, theirs = start_nginx(store, work)
        try:
            good = [
                *(small_gets(ours, theirs, path, seconds) for path in (small, "metadata/1.targets.json", "metadata/timestamp.json")),
                slow_connections(server, ours, small, large, seconds),
                downloads(server, ours, large, 4 * seconds),
            ]
        finally:
            server.kill()
            nginx.terminate()
            nginx.wait()
        return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
