"""The peer of the rates: paho's client as it comes, which decodes what it hears and forgets it."""

from __future__ import annotations

import argparse
import sys
import time

import msgspec
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from gemeos.clock import SystemClock

LONGEST_S = 1800.0
TOLD_EVERY_S = 0.05


class Bare:
    """Counts readings, or keeps how old each was when it was decoded."""

    def __init__(self, *, ages: bool) -> None:
        """``ages``: of readings that are valid when they are sent."""
        self.count = 0
        self.ages: list[int] = []
        self._keeps_ages = ages
        self._wall = SystemClock().wall
        self._decode = msgspec.json.Decoder().decode

    def on_message(self, _client: paho.Client, _data: object, message: paho.MQTTMessage) -> None:
        """Decode it."""
        value = self._decode(message.payload)
        if self._keeps_ages:
            self.ages.append(self._wall() - value["valid_at"])
        self.count += 1


def main() -> None:
    """Follow the broker until the parent ends it; tell the count of messages again and again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("topic")
    parser.add_argument("--ages", action="store_true")
    args = parser.parse_args()
    bare = Bare(ages=args.ages)
    client = paho.Client(CallbackAPIVersion.VERSION2, "bench-bare", clean_session=False)
    client.on_message = bare.on_message
    client.on_subscribe = lambda *_: _say("ready")
    client.connect("127.0.0.1", args.port)
    client.subscribe(args.topic, qos=1)
    client.loop_start()
    end = time.monotonic() + LONGEST_S
    while time.monotonic() < end:
        time.sleep(TOLD_EVERY_S)
        _say(f"count {bare.count} {time.monotonic():.6f}")
        ages, bare.ages = bare.ages, []
        if ages:
            _say(f"ages {' '.join(map(str, ages))}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
