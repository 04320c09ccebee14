"""A twin of the computer that runs it, told by psutil: CPU, memory, disk and network.

It runs for five seconds and is scored 1, 2 and 3 seconds ahead. Run it with 3600 behind it, and
it runs for an hour, scored 1, 5 and 15 minutes ahead.
"""

from __future__ import annotations

import math
import sys
import time

import psutil

import gemeos as gm


def decades(rate: float) -> float:
    """The logarithm of a rate: bursts span six decades. 0 is nothing, 3 is 1 MB/s."""
    return math.log(1 + rate) / math.log(10)


def towards(usual: float, now: float, share: float) -> float:
    """``now``, moved a share of the way to what is usual; both by their logarithms."""
    return now * math.exp(share * math.log(usual / now))


@gm.model(dt="1 s")
class Computer:
    """Work, reads, writes and packets come in bursts about what is usual."""

    work: float = gm.state("", gm.lognormal(0.3, 1.5), noise=0.7)  # arriving per processor
    usual_work: float = gm.state("", gm.lognormal(0.3, 1.5), noise=0.1)  # moves in minutes
    used: float = gm.state("percent", gm.normal(40, 30), bounds=(0, 100), noise=0.02)
    disk_rate: float = gm.state("kB/s", gm.lognormal(10, 3), noise=4.0)
    network_rate: float = gm.state("kB/s", gm.lognormal(10, 3), noise=4.0)
    usual_disk_rate: float = gm.param("kB/s", gm.lognormal(10, 3), drift=0.1)
    usual_network_rate: float = gm.param("kB/s", gm.lognormal(10, 3), drift=0.1)

    def step(self, dt: float) -> Computer:
        return Computer(
            work=towards(self.usual_work, self.work, dt / 10),
            usual_work=self.usual_work,
            used=self.used,
            disk_rate=towards(self.usual_disk_rate, self.disk_rate, dt / 3),
            network_rate=towards(self.usual_network_rate, self.network_rate, dt / 3),
        )

    @gm.sensor("percent", noise=1.0, bounds=(0, 100))
    def cpu(self) -> float:
        return 100 * self.work / (1 + self.work)  # a server without a queue: Erlang (1917)

    @gm.sensor("percent", noise=0.05, bounds=(0, 100))
    def memory(self) -> float:
        return self.used

    @gm.sensor("", noise=0.2, bounds=(0, None))
    def disk(self) -> float:
        return decades(self.disk_rate)

    @gm.sensor("", noise=0.2, bounds=(0, None))
    def network(self) -> float:
        return decades(self.network_rate)


def totals() -> tuple[float, ...]:
    """Seconds, those of idle processors, kB to and from disks and networks: all until now."""
    disk, network = psutil.disk_io_counters(), psutil.net_io_counters()
    moved = disk.read_bytes + disk.write_bytes if disk else 0
    return time.monotonic(), psutil.cpu_times().idle, moved / 1000, sum(network[:2]) / 1000


seen = [totals()]


def look() -> dict[str, float]:
    """What the four sensors read now."""
    seen.append(totals())
    seconds, idle, disk, network = (b - a for a, b in zip(seen.pop(0), seen[0], strict=True))
    busy = max(0.0, 1 - idle / seconds / (psutil.cpu_count() or 1))
    rates = {"disk": decades(disk / seconds), "network": decades(network / seconds)}
    return {"cpu": 100 * busy, "memory": psutil.virtual_memory().percent} | rates


def main(seconds: float) -> None:
    leads = ("1 s", "2 s", "3 s") if seconds < 60 else ("1 min", "5 min", "15 min")
    twin = gm.Twin("this-computer", Computer, leads=leads)
    for sensor in ("cpu", "memory", "disk", "network"):
        twin.bind(f"psutil:{sensor}", to=sensor)
    link = gm.PollLink(name="psutil", poll=look, every="1 s")
    with gm.run(gm.Site("here", twins=(twin,), links=(link,))):
        for _ in range(max(1, round(seconds / 60))):
            time.sleep(min(seconds, 60))
            print(twin.forecast("15 min"))
            print(*twin.trust().scores, sep="\n")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else 5)
