"""What a run takes that goes on and finds nothing.

The tables have no rows, but the watermark has a value, so that all of them are asked.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time

from measure import say
from server import process_cpu_s
from tools import Ours

# Seconds from one flush to the next, before the first window, and of a window.
INTERVAL_S, REST_S, WINDOW_S = 5, 12, 10


def windows(lake: Ours, count: int) -> tuple[list[float], list[float]]:
    """CPU milliseconds of a flush of nothing, in each of `count` windows: of the run, with all that
    it does meanwhile, and of PostgreSQL.
    """
    server = lake.hot.server
    lake.flush(lake.hot.refill())
    # Dead rows would have to be looked at.
    lake.hot.empty()
    mine, servers = [], []
    with (lake.place / "tail.log").open("wb") as log:
        command = [lake.binary, "run", lake.file()]
        run = subprocess.Popen(command, stdout=log, stderr=log, env=server.environment)
        try:
            time.sleep(REST_S)
            for _ in range(count):
                began, before, servers_before = time.monotonic(), process_cpu_s(run.pid), server.cpu_s()
                time.sleep(WINDOW_S)
                if run.poll() is not None:
                    sys.exit(f"the run ended: {(lake.place / 'tail.log').read_text()[-2000:]}")
                flushes = (time.monotonic() - began) / INTERVAL_S
                mine.append(1000 * (process_cpu_s(run.pid) - before) / flushes)
                servers.append(1000 * (server.cpu_s() - servers_before) / flushes)
                say(f"nothing: {mine[-1]:.2f} ms, and {servers[-1]:.2f} ms of PostgreSQL")
        finally:
            if run.poll() is None:
                run.send_signal(signal.SIGTERM)
            run.wait(timeout=60)
    return mine, servers
