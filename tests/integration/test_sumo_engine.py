"""SUMO keeps the engine's contract, on a network made here and on recorded ones."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from gemeos.engines.base import Engine
from gemeos.engines.hosted import HostedEngine
from gemeos.engines.outcome import Crashed, Failed, TimedOut, Told
from gemeos.engines.spec import Values
from gemeos.engines.sumo import Sumo, opened
from gemeos.errors import EngineError, SettingsError
from gemeos.testing.contracts.engine import (
    T0,
    Drive,
    EngineContract,
    FailingEngineContract,
    Mischief,
    all_of,
    told,
)
from gemeos.units.instant import SECOND
from tests.integration import mischief_sumo
from tests.integration.sumo_networks import ROUTES, crossing, sumo_program

RED = "signal.B1.state"
MINUTE = 60 * SECOND


class TestVehicles(EngineContract):
    mesoscopic = False

    @pytest.fixture(scope="class")
    @classmethod
    def city(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedEngine]:
        folder = tmp_path_factory.mktemp("city")
        network = crossing(folder, mesoscopic=cls.mesoscopic, gaps="shifted")
        with opened(msgspec.structs.replace(network, passages=not cls.mesoscopic)) as engine:
            yield engine

    @pytest.fixture
    def engine(self, city: HostedEngine) -> Iterator[Engine]:
        with city.another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        held = {"signal.B1.phase": 0, "flow.south": 400.0, "edge.A1B1.max_speed": 10.0}
        others = {"signal.B1.phase": 2, "flow.south": 0.0, "edge.A1B1.max_speed": 5.0}
        return Drive(90, dict(held), dict(others), {"demand_scale": 1.5}, seed_shows=True)


class TestQueues(TestVehicles):
    mesoscopic = True


class TestOneThatMisbehaves(FailingEngineContract):
    """SUMO within, but for what it is told to do wrong."""

    limit_of_a_call_s = 5

    @pytest.fixture(scope="class")
    @classmethod
    def city(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostedEngine]:
        network = crossing(tmp_path_factory.mktemp("city"))
        with mischief_sumo.opened(network, cls.limit_of_a_call_s * SECOND) as engine:
            yield engine

    @pytest.fixture
    def engine(self, city: HostedEngine) -> Iterator[Engine]:
        with city.another() as engine:
            yield engine

    @pytest.fixture
    def drive(self) -> Drive:
        return Drive(30, {"flow.south": 400.0}, {"flow.south": 0.0}, {"demand_scale": 1.5})

    @pytest.fixture
    def limit_s(self) -> float:
        return self.limit_of_a_call_s

    @pytest.fixture
    def mischief(self) -> Callable[[Mischief], Values]:
        return lambda kind: {mischief_sumo.NAME: kind.value}


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Sumo:
    return crossing(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="module")
def open_city(city: Sumo) -> Iterator[HostedEngine]:
    with opened(city, limit=5 * SECOND) as engine:
        yield engine


@pytest.fixture
def engine(open_city: HostedEngine) -> Iterator[HostedEngine]:
    with open_city.another() as engine:
        told(engine.reset({}, 1, T0))
        yield engine


def read(engine: Engine, name: str) -> float:
    value = told(engine.get([name]))[name]
    assert isinstance(value, int | float)
    return value


def test_that_red_lights_stop_what_comes(engine: HostedEngine) -> None:
    lights = told(engine.get([RED]))[RED]
    assert isinstance(lights, str)
    told(engine.set({RED: "r" * len(lights)}))
    told(engine.advance(T0 + 3 * MINUTE))
    # 200 m hold at most 200 / (5 + 2.5) vehicles of SUMO's usual length and gap.
    assert 20 <= read(engine, "edge.A1B1.halting") <= 26
    assert read(engine, "vehicles.arrived") == 0
    assert read(engine, "edge.B1C1.count") == 0
    assert read(engine, "vehicles.waiting") > 0
    assert read(engine, "area.queue.queue") >= 20
    program = "signal.B1.program"
    told(engine.set({program: engine.spec.by_name[program].start or ""}))
    told(engine.advance(T0 + 5 * MINUTE))
    assert read(engine, "vehicles.arrived") > 0


def test_that_a_flow_departs_at_its_rate(tmp_path: Path) -> None:
    quiet = crossing(tmp_path)
    Path(quiet.routes[0]).write_text("<routes/>")
    with opened(quiet) as engine:
        told(engine.reset({}, 1, T0))
        told(engine.set({"flow.south": 720.0}))  # one in five seconds
        told(engine.advance(T0 + 100 * SECOND))
        assert read(engine, "vehicles.departed") + read(engine, "vehicles.waiting") == 20
        told(engine.set({"flow.south": 0.0}))
        told(engine.advance(T0 + 10 * MINUTE))
        assert read(engine, "vehicles.departed") == read(engine, "vehicles.arrived") == 20
        # None is late by less than the free drive; all that was lost is in the mean.
        assert read(engine, "trips.duration") >= 400 / 13.89 + read(engine, "trips.time_loss") - 8
        lost = read(engine, "trips.time_loss") + read(engine, "trips.depart_delay")
        assert read(engine, "trips.delay") == pytest.approx(lost, abs=1e-6)


def test_that_a_loop_tells_whom_it_counted_in_its_last_period(tmp_path: Path) -> None:
    quiet = crossing(tmp_path)
    Path(quiet.routes[0]).write_text("<routes/>")
    with opened(msgspec.structs.replace(quiet, flows={"by": ("A1B1", "B1C1")})) as engine:
        told(engine.reset({}, 1, T0))
        told(engine.set({"flow.by": 360.0}))  # one in ten seconds, over the loop
        counted = []
        for minute in range(1, 7):
            told(engine.advance(T0 + minute * MINUTE))
            counted.append(read(engine, "detector.loop.interval_count"))
        # Six a minute; the first need some seconds to come, and red lights hold some up.
        assert sum(counted) <= 36
        assert sum(counted[1:]) == pytest.approx(30, abs=4)
        assert 0 < read(engine, "detector.loop.interval_speed") < 14


def test_that_drivers_with_a_longer_headway_go_over_a_stop_line_more_slowly(
    tmp_path: Path,
) -> None:
    quiet = crossing(tmp_path)
    Path(quiet.routes[0]).write_text("<routes/>")
    busy = msgspec.structs.replace(quiet, flows={"by": ("A1B1", "B1C1")}, depart_speed="max")
    through = {}
    with opened(busy) as engine:
        for tau in (1.0, 2.0):
            told(engine.reset({}, 1, T0))
            told(engine.set({"flow.by": 3600.0, "type.DEFAULT_VEHTYPE.tau": tau}))
            assert read(engine, "type.DEFAULT_VEHTYPE.tau") == tau
            told(engine.advance(T0 + 10 * MINUTE))
            through[tau] = read(engine, "vehicles.arrived")
    assert 0 < through[2.0] < 0.9 * through[1.0]


def test_that_drivers_who_accelerate_less_come_over_a_stop_line_later(tmp_path: Path) -> None:
    quiet = crossing(tmp_path)
    Path(quiet.routes[0]).write_text("<routes/>")
    busy = msgspec.structs.replace(quiet, flows={"by": ("A1B1", "B1C1")})
    lost = {}
    with opened(busy) as engine:
        for accel in (2.6, 0.8):
            told(engine.reset({}, 1, T0))
            told(engine.set({"flow.by": 360.0, "type.DEFAULT_VEHTYPE.accel": accel}))
            assert read(engine, "type.DEFAULT_VEHTYPE.accel") == accel
            told(engine.advance(T0 + 10 * MINUTE))
            lost[accel] = read(engine, "trips.time_loss")
    # From a stand to 13.89 m/s one loses v / 2a: 2.7 and 8.7 s, once at the depart alone.
    assert lost[0.8] > lost[2.6] + 4


def test_that_a_flow_turns_when_its_course_says_and_begins_at_its_own_time(tmp_path: Path) -> None:
    quiet = crossing(tmp_path)
    Path(quiet.routes[0]).write_text("<routes/>")
    # Twice as many from 7:02 on, none from 7:04 on, by a clock that begins at 7:00.
    course = {"south": (2.0, 0.0)}
    rising = msgspec.structs.replace(quiet, turns=(25_320.0, 25_440.0), course=course)
    come = []
    with opened(rising) as engine:
        told(engine.reset({"begin_s": 25_200.0}, 1, T0))
        assert read(engine, "begin_s") == 25_200.0
        told(engine.set({"flow.south": 375.0}))
        for minute in (2, 4, 6):
            told(engine.advance(T0 + minute * MINUTE))
            come.append(read(engine, "vehicles.departed") + read(engine, "vehicles.waiting"))
        kept = told(engine.snapshot())
        told(engine.restore(kept))
        assert read(engine, "begin_s") == 25_200.0
    # 12.5 in two minutes, 25 in the next two.
    assert come == [12, 37, 37]


def test_that_what_was_lost_so_far_never_falls_while_sumo_moves_those_who_are_stuck(
    tmp_path: Path,
) -> None:
    quiet = crossing(tmp_path)
    Path(quiet.routes[0]).write_text("<routes/>")
    soon = msgspec.structs.replace(quiet, options=("--time-to-teleport", "20"))
    with opened(soon) as engine:
        told(engine.reset({}, 1, T0))
        lights = told(engine.get([RED]))[RED]
        assert isinstance(lights, str)
        told(engine.set({RED: "r" * len(lights), "flow.south": 1200.0}))
        names = ["trips.delay", "vehicles.departed", "vehicles.waiting"]
        lost, moved = [], False
        for step in range(1, 121):
            told(engine.advance(T0 + step * 5 * SECOND))
            delay, departed, waiting = told(engine.get(names)).values()
            lost.append(float(delay) * (float(departed) + float(waiting)))
            moved = moved or read(engine, "vehicles.arrived") > 0
    # With all lights red nobody else could come through.
    assert moved
    assert all(after >= before for before, after in pairwise(lost))


def test_that_those_who_never_find_room_count_in_the_delay(engine: HostedEngine) -> None:
    lights = told(engine.get([RED]))[RED]
    assert isinstance(lights, str)
    told(engine.set({RED: "r" * len(lights), "flow.south": 3600.0}))
    told(engine.advance(T0 + 10 * MINUTE))
    # At least 600 - 27 of one a second wait, each for its time: on average some 290 s.
    assert read(engine, "vehicles.waiting") > 573
    assert read(engine, "trips.delay") > 200


def test_that_trips_fare_as_sumos_own_trip_file_says(city: Sumo, tmp_path: Path) -> None:
    trips = tmp_path / "trips.xml"
    unfinished = ("--tripinfo-output.write-unfinished", "--tripinfo-output.write-undeparted")
    command: list[str | Path] = [
        sumo_program("sumo"),
        "-n",
        city.net,
        "-r",
        city.routes[0],
        "-a",
        city.additional[0],
    ]
    command += ["--tripinfo-output", trips, *unfinished, "--seed", "11", "--scale", "2"]
    subprocess.run([*command, "--end", "600"], check=True, capture_output=True, timeout=50)
    every = ET.parse(trips).getroot().findall("tripinfo")  # noqa: S314 - SUMO's own file
    arrived = [t for t in every if float(t.get("arrival", "-1")) >= 0]
    with opened(city) as engine:
        told(engine.reset({"demand_scale": 2.0}, 11, T0))
        told(engine.advance(T0 + 10 * MINUTE))
        names = ("time_loss", "depart_delay", "waiting_time", "duration")
        ours = told(engine.get([f"trips.{name}" for name in names]))
        delay, count = read(engine, "trips.delay"), read(engine, "vehicles.arrived")
    assert count == len(arrived) > 100
    for name, key in zip(
        names, ("timeLoss", "departDelay", "waitingTime", "duration"), strict=True
    ):
        mean = sum(float(t.get(key, "nan")) for t in arrived) / len(arrived)
        # SUMO cuts means to 0.001 s, and the file's numbers to 0.01 s.
        assert ours[f"trips.{name}"] == pytest.approx(mean, abs=0.007), name
    lost = [float(t.get("timeLoss", "nan")) + float(t.get("departDelay", "nan")) for t in every]
    assert len(every) > len(arrived) + 20
    assert delay == pytest.approx(sum(lost) / len(lost), abs=0.02)


def test_that_held_lights_come_back_with_a_snapshot_and_can_be_let_go(
    engine: HostedEngine,
) -> None:
    program = {"signal.B1.program": engine.spec.by_name["signal.B1.program"].start or ""}
    told(engine.set({"signal.B1.phase": 2}))
    told(engine.advance(T0 + MINUTE))
    kept = told(engine.snapshot())
    told(engine.set(program))
    told(engine.advance(T0 + 3 * MINUTE))
    let_go = told(engine.get(["state.hash", "signal.B1.state"]))
    told(engine.restore(kept))
    assert told(engine.get(["signal.B1.phase"])) == {"signal.B1.phase": 2}
    told(engine.set(program))
    told(engine.advance(T0 + 3 * MINUTE))
    assert told(engine.get(["state.hash", "signal.B1.state"])) == let_go


def test_that_without_fork_the_copy_is_a_restored_one_and_as_exact(
    city: Sumo, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(city, fork=False) as engine:
        assert "SUMO cannot be forked here" in caplog.text
        told(engine.reset({}, 3, T0))
        told(engine.advance(T0 + 2 * MINUTE))
        with told(engine.fork()) as copy:
            assert copy.pid != engine.pid
            for one in (engine, copy):
                told(one.advance(T0 + 4 * MINUTE))
            hashes = [told(one.get(["state.hash"])) for one in (engine, copy)]
            assert hashes[0] == hashes[1]


def test_that_what_sumo_refuses_is_a_value_with_its_words(engine: HostedEngine) -> None:
    refused = engine.set({"signal.B1.phase": 99})
    assert isinstance(refused, Failed)
    assert "phases 0 to" in refused.why
    told(engine.reset({}, 1, T0))


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGKILL, Crashed), (signal.SIGSTOP, TimedOut)]
)
def test_that_a_dead_or_hanging_sumo_is_a_value_and_begins_anew(
    engine: HostedEngine, number: signal.Signals, kind: type
) -> None:
    assert engine.pid is not None
    os.kill(engine.pid, number)
    assert isinstance(engine.advance(T0 + MINUTE), kind)
    told(engine.reset({}, 1, T0))
    told(engine.advance(T0 + MINUTE))


def test_that_sumos_warnings_are_told_beside_the_answer(tmp_path: Path) -> None:
    noisy = crossing(tmp_path)
    jam = ROUTES.replace(
        "</routes>",
        '<vehicle id="x" type="car" depart="5"><route edges="A0A1">'
        '<stop lane="A0A1_0" duration="2000"/></route></vehicle></routes>',
    )
    Path(noisy.routes[0]).write_text(jam)
    told_options = ("--time-to-teleport", "60")
    noisy = Sumo(net=noisy.net, routes=noisy.routes, flows=noisy.flows, options=told_options)
    with opened(noisy) as engine:
        told(engine.reset({}, 1, T0))
        lights = told(engine.get([RED]))[RED]
        assert isinstance(lights, str)
        told(engine.set({RED: "r" * len(lights)}))
        outcome = engine.advance(T0 + 5 * MINUTE)
        assert isinstance(outcome, Told)
        assert "Teleporting vehicle" in outcome.said


def test_that_a_network_that_is_not_there_is_told_with_sumos_words(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match=r"no\.net\.xml"):
        opened(Sumo(net=str(tmp_path / "no.net.xml")))


def test_that_options_that_are_the_adapters_own_are_refused() -> None:
    with pytest.raises(SettingsError, match="--seed"):
        Sumo(net="x", options=("--seed", "3"))
    with pytest.raises(SettingsError, match="not both"):
        Sumo(net="x", config="y")


@pytest.fixture(scope="module")
def cologne8(recorded_data: Path) -> Iterator[HostedEngine]:
    with opened(Sumo(str(recorded_data / "resco" / "cologne8" / "cologne8.sumocfg"))) as engine:
        yield engine


def test_that_a_fork_of_a_city_goes_on_with_the_same_state(cologne8: HostedEngine) -> None:
    with cologne8.another() as engine:
        told(engine.reset({}, 7, T0))
        told(engine.advance(T0 + 1500 * SECOND))
        kept = told(engine.snapshot())
        with told(engine.fork()) as fork, engine.another() as restored:
            told(restored.restore(kept))
            ends = []
            for one in (engine, fork, restored):
                told(one.advance(T0 + 1800 * SECOND))
                ends.append(told(one.get(["state.hash", "vehicles.running", "vehicles.arrived"])))
            assert ends[0] == ends[1] == ends[2]
            assert all_of(fork) == all_of(engine)


def test_that_a_flow_without_a_way_is_told_when_it_is_opened(city: Sumo) -> None:
    with pytest.raises(EngineError, match=r"^SUMO cannot be opened: .*'nowhere'"):
        opened(Sumo(net=city.net, flows={"lost": ("A0A1", "nowhere")}))


def test_that_a_detector_counts_each_vehicle_that_passes_once(tmp_path: Path) -> None:
    network = crossing(tmp_path)
    routes = tmp_path / "few.rou.xml"
    # Behind the loop on A1B1 all go on to B1C1: who has arrived there has passed it.
    routes.write_text(
        '<routes><flow id="east" from="A1B1" to="B1C1" begin="0" end="300" period="10"/></routes>'
    )
    few = msgspec.structs.replace(network, routes=(str(routes),), passages=True, flows={})
    with opened(few) as engine:
        told(engine.reset({}, 1, T0))
        seen = []
        for minute in (2, 4, 20):
            told(engine.advance(T0 + minute * MINUTE))
            seen.append(told(engine.get(["detector.loop.passed"]))["detector.loop.passed"])
        assert told(engine.get(["vehicles.arrived"])) == {"vehicles.arrived": 30}
    assert seen == sorted(seen)
    assert 0 < int(seen[0]) < 13
    assert seen[-1] == 30
