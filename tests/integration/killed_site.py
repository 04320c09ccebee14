"""The child of contract 2's test: a site that follows a broker until it is killed."""

from __future__ import annotations

import sys
from pathlib import Path

import gemeos as gm
from gemeos.units import span

START_US = 1_700_000_000_000_000


@gm.model(dt="0.1 s")
class Tank:
    level: float = gm.state("m", gm.normal(1.0, 0.5), noise=0.05)
    inflow: float = gm.param("m/s", gm.normal(0.0, 0.1), drift=0.01)
    valve: float = gm.input("1/s", default=0.1)

    def step(self, dt: float) -> Tank:
        return Tank(level=self.level + dt * (self.inflow - self.valve * self.level))

    @gm.sensor("m", noise=0.1)
    def gauge(self) -> float:
        return self.level


TWINS = 3


def site(port: int, store: Path | None) -> gm.Site:
    twins = tuple(
        gm.Twin(f"tank-{i}", Tank, members=16, horizon="20 s")
        .bind(f"broker:{i}/gauge", to="gauge")
        .bind(f"broker:{i}/valve", to="valve")
        for i in range(TWINS)
    )
    link = gm.MqttLink(
        name="broker",
        broker=f"mqtt://127.0.0.1:{port}",
        client_id="killed-site",
        message=(gm.MessageFormat(topic="tanks/{tank}/{tag}"),),
    )
    return gm.Site("tanks", twins=twins, links=(link,), store=store, keyframes_every=span("10 s"))


def main() -> None:
    with gm.run(site(int(sys.argv[1]), Path(sys.argv[2]))) as running:
        while True:
            running.wait(0.1)
            stored = running.host.timeline.range(None, -(2**62), 2**62)
            sys.stdout.write(f"{len(stored)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
