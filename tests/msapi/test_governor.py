"""The quota book on a real Redis, with a clock of the test's own."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from msapi.endpoint import Endpoint, Secret
from msapi.errors import Cancelled, GovernorUnavailable, InvalidParameter
from msapi.governor import Bucket, Governor, Granted, Wait, hunting_bucket, live_response_bucket, loganalytics_bucket
from tests.msapi.conftest import RedisServer

BUCKET = Bucket("tenant", "hunting", per_minute=3, per_hour=5)
POOL = Bucket("tenant", "logs", concurrency=2, lease_seconds=100.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def governor(redis_client: redis.Redis, clock: Clock) -> Governor:
    return Governor(redis_client, clock)


def granted(answer: Granted | Wait) -> Granted:
    assert isinstance(answer, Granted), answer
    return answer


def waiting(answer: Granted | Wait) -> Wait:
    assert isinstance(answer, Wait), answer
    return answer


def test_a_minute_holds_no_more_than_its_limit(governor: Governor, clock: Clock) -> None:
    for second in range(3):
        clock.now = 1_000_000 + second * 10
        granted(governor.acquire(BUCKET, f"t{second}"))
    clock.now = 1_000_030
    # The first was at 0, so there is room at 60: in 30 s.
    assert waiting(governor.acquire(BUCKET, "t3")) == Wait(30.0, 1, 30.0)
    assert waiting(governor.acquire(BUCKET, "t4")) == Wait(40.0, 2, 40.0)
    clock.now = 1_000_059.9
    waiting(governor.acquire(BUCKET, "t3"))
    clock.now = 1_000_060
    granted(governor.acquire(BUCKET, "t3"))
    waiting(governor.acquire(BUCKET, "t4"))


def test_an_hour_too(governor: Governor, clock: Clock) -> None:
    for call in range(5):
        clock.now = 1_000_000 + call * 61
        granted(governor.acquire(BUCKET, f"t{call}"))
    clock.now = 1_000_400
    answer = waiting(governor.acquire(BUCKET, "t5"))
    assert (answer.seconds, answer.eta) == (60.0, 3200.0)
    clock.now = 1_003_600
    granted(governor.acquire(BUCKET, "t5"))


def test_estimates_beyond_one_window(governor: Governor) -> None:
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    etas = [waiting(governor.acquire(replace(BUCKET, per_hour=0), f"w{n}")).eta for n in range(7)]
    assert etas == [60.0] * 3 + [120.0] * 3 + [180.0]


def test_an_estimate_amid_a_window_that_fills(governor: Governor, clock: Clock) -> None:
    """Half of the window is called, the other half stands ahead and is about to: who comes behind them waits for one
    window, not for two."""
    bucket = replace(BUCKET, per_minute=10, per_hour=0)
    for number in range(10):
        granted(governor.acquire(bucket, f"first {number}"))
    for number in range(10):
        waiting(governor.acquire(bucket, f"second {number}"))
    clock.now += 60.5
    for number in range(5):
        granted(governor.acquire(bucket, f"second {number}"))
    waits = [waiting(governor.acquire(bucket, f"third {number}")).eta for number in range(11)]
    assert waits == [60.0] * 10 + [120.0]


def test_the_line_keeps_its_order(governor: Governor, clock: Clock) -> None:
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    for name in ("a", "b", "c"):
        waiting(governor.acquire(BUCKET, name))
    assert [governor.place(BUCKET, name) for name in ("a", "b", "c", "x")] == [1, 2, 3, None]
    clock.now += 60
    unlimited = replace(BUCKET, per_hour=0)
    # Two of three slots are for those ahead; a newcomer does not overtake.
    granted(governor.acquire(unlimited, "b"))
    granted(governor.acquire(unlimited, "c"))
    waiting(governor.acquire(unlimited, "newcomer"))
    granted(governor.acquire(unlimited, "a"))


def test_priority_overtakes_but_starves_nobody(governor: Governor, clock: Clock) -> None:
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    waiting(governor.acquire(BUCKET, "routine", 5))
    assert waiting(governor.acquire(BUCKET, "urgent", 0)).place == 1
    assert governor.place(BUCKET, "routine") == 2
    # A step is worth four calls here: once some twenty overtook it, the routine one is first.
    slow = Bucket("slow", "hunting", per_minute=1, priority_seconds=240.0, ticket_seconds=10_000)
    granted(governor.acquire(slow, "g"))
    waiting(governor.acquire(slow, "routine", 5))
    overtaken = 0
    while overtaken < 60:
        waiting(governor.acquire(slow, f"urgent {overtaken}", 0))
        if governor.place(slow, f"urgent {overtaken}") != 1:
            break
        clock.now += 60
        granted(governor.acquire(slow, f"urgent {overtaken}", 0))
        overtaken += 1
    assert 15 <= overtaken <= 25
    with pytest.raises(InvalidParameter):
        governor.acquire(BUCKET, "x", 10)


def test_flows_take_turns(governor: Governor, clock: Clock) -> None:
    """A thousand of one hunt wait; another hunt's only run is next but one, and two long flows alternate."""
    bucket = replace(BUCKET, per_hour=0, per_minute=1, ticket_seconds=100_000)
    for number in range(1000):
        governor.acquire(bucket, f"many{number}", 2, "many")
    assert waiting(governor.acquire(bucket, "single", 2, "other")).place <= 2
    for number in range(3):
        governor.acquire(bucket, f"few{number}", 2, "few")
    order = served(governor, bucket, clock, 8)
    assert order.index("single") <= 1
    assert [name for name in order if name.startswith("few")] == ["few0", "few1", "few2"]
    assert max(order.index(f"few{number}") for number in range(3)) <= 7


def served(governor: Governor, bucket: Bucket, clock: Clock, calls: int) -> list[str]:
    """Who is granted the next calls."""
    waits = {f"many{n}": "many" for n in range(1000)} | {f"few{n}": "few" for n in range(3)} | {"single": "other"}
    order: list[str] = []
    for _ in range(calls):
        clock.now += 60
        first = next(name for name in waits if governor.place(bucket, name) == 1)
        granted(governor.acquire(bucket, first, 2, waits[first]))
        order.append(first)
    return order


def test_severity_goes_first_even_into_a_line_that_lags(governor: Governor, clock: Clock) -> None:
    """A penalty held everybody up for an hour: who is more urgent still overtakes all of them at once."""
    bucket = replace(BUCKET, per_hour=0, ticket_seconds=100_000)
    for number in range(300):
        governor.acquire(bucket, f"many{number}", 2, "many")
    governor.penalise(bucket, 3600)
    clock.now += 3000
    assert waiting(governor.acquire(bucket, "urgent", 1, "urgent")).place == 1


def test_cancelled_tickets_are_not_held_against_their_flow(governor: Governor) -> None:
    bucket = replace(BUCKET, per_hour=0)
    for number in range(103):
        governor.acquire(bucket, f"a{number}", 2, "a")
    for number in range(3, 103):
        governor.leave(bucket, f"a{number}", "a")
    for number in range(10):
        governor.acquire(bucket, f"b{number}", 2, "b")
    assert waiting(governor.acquire(bucket, "next", 2, "a")).place <= 3


def test_idle_flows_are_forgotten(governor: Governor, redis_client: redis.Redis) -> None:
    bucket = replace(BUCKET, per_minute=0, per_hour=0)
    for number in range(500):
        granted(governor.acquire(bucket, f"t{number}", 2, f"flow{number}"))
    assert int(redis_client.hlen(f"{bucket.key}:flows")) < 250


def test_the_seconds_of_a_quarter_of_an_hour(governor: Governor, clock: Clock) -> None:
    bucket = replace(BUCKET, per_minute=0, per_hour=0, cpu_seconds=100.0)
    for number in range(2):
        lease = granted(governor.acquire(bucket, f"t{number}"))
        clock.now += 60
        governor.release(lease)
    # 120 s are spent; the first 60 of them ended 60 s ago, and leave the 900 s in 840.
    assert waiting(governor.acquire(bucket, "next")).eta == 840.0
    clock.now += 841
    granted(governor.acquire(bucket, "next"))


def test_slack_makes_the_windows_longer(governor: Governor, clock: Clock) -> None:
    bucket = replace(BUCKET, per_minute=1, slack=2.0)
    granted(governor.acquire(bucket, "a"))
    clock.now += 61
    assert waiting(governor.acquire(bucket, "b")).eta == 1.0
    clock.now += 1
    granted(governor.acquire(bucket, "b"))


def test_a_silent_ticket_loses_its_place(governor: Governor, clock: Clock) -> None:
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    waiting(governor.acquire(BUCKET, "killed"))
    governor.penalise(BUCKET, 400)
    waiting(governor.acquire(BUCKET, "alive"))
    clock.now += 149  # asked to come back in 60, believed for 90 more
    assert waiting(governor.acquire(BUCKET, "alive")).place == 2
    clock.now += 2
    assert waiting(governor.acquire(BUCKET, "alive")).place == 1


def test_leases_bound_what_runs_at_once(governor: Governor, clock: Clock) -> None:
    first, _ = granted(governor.acquire(POOL, "a")), granted(governor.acquire(POOL, "b"))
    assert waiting(governor.acquire(POOL, "c")).place == 1
    clock.now += 8
    assert governor.release(first) and not governor.release(first)
    granted(governor.acquire(POOL, "c"))
    # One lease took 8 s, and the other of the two has been held as long: it may come back any moment.
    assert waiting(governor.acquire(POOL, "d")).eta == 2.0


def test_who_waits_for_a_lease_is_told_when_the_one_it_gets_comes_back(governor: Governor, clock: Clock) -> None:
    first = granted(governor.acquire(POOL, "a"))
    clock.now += 8
    governor.release(first)
    granted(governor.acquire(POOL, "b"))
    clock.now += 3
    granted(governor.acquire(POOL, "c"))
    # One took 8 s. The first that waits gets the lease of b, the next that of c; the third waits for the first's end.
    assert waiting(governor.acquire(POOL, "d")).eta == pytest.approx(5)
    assert waiting(governor.acquire(POOL, "e")).eta == pytest.approx(8)
    assert waiting(governor.acquire(POOL, "f")).eta == pytest.approx(13)
    # A lease that should be back is asked for a quarter of the usual time later, then less and less often.
    clock.now += 5
    assert waiting(governor.acquire(POOL, "d")).eta == pytest.approx(2)
    clock.now += 6
    assert waiting(governor.acquire(POOL, "d")).eta == pytest.approx(6)
    clock.now += 30
    assert waiting(governor.acquire(POOL, "d")).eta == pytest.approx(8)


def test_the_first_guess_is_of_the_services_own_clock(governor: Governor, clock: Clock) -> None:
    quick = replace(POOL, minute=12.0)
    granted(governor.acquire(quick, "a"))
    granted(governor.acquire(quick, "b"))
    assert waiting(governor.acquire(quick, "c")).eta == pytest.approx(6)


def test_a_killed_holder_lapses_and_a_living_one_does_not(governor: Governor, clock: Clock) -> None:
    living, killed = granted(governor.acquire(POOL, "living")), granted(governor.acquire(POOL, "killed"))
    clock.now += 60
    assert governor.renew(living)
    clock.now += 41
    granted(governor.acquire(POOL, "next"))
    waiting(governor.acquire(POOL, "over"))
    assert not governor.release(killed)


def test_a_job_delivered_twice_holds_one_lease(governor: Governor) -> None:
    old = granted(governor.acquire(POOL, "run"))
    new = granted(governor.acquire(POOL, "run"))
    granted(governor.acquire(POOL, "other"))
    newest = granted(governor.acquire(POOL, "run"))
    waiting(governor.acquire(POOL, "third"))
    for passed in (old, new):
        assert not governor.renew(passed) and not governor.release(passed)
    waiting(governor.acquire(POOL, "third"))
    assert governor.renew(newest) and governor.release(newest)
    granted(governor.acquire(POOL, "third"))


def test_a_penalty_stops_everyone(governor: Governor, clock: Clock) -> None:
    assert governor.penalise(BUCKET, 30) == 30.0
    assert governor.penalise(BUCKET, 10) == 30.0
    assert waiting(governor.acquire(BUCKET, "a")).eta == 30.0
    assert governor.load(BUCKET).penalty == 30.0
    granted(governor.acquire(POOL, "a"))
    clock.now += 30
    granted(governor.acquire(BUCKET, "a"))


def test_tenants_do_not_share(governor: Governor) -> None:
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    waiting(governor.acquire(BUCKET, "x"))
    granted(governor.acquire(replace(BUCKET, tenant_id="other"), "x"))
    granted(governor.acquire(replace(BUCKET, api="defender"), "x"))


def test_load_and_leaving(governor: Governor) -> None:
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    waiting(governor.acquire(BUCKET, "x"))
    load = governor.load(BUCKET)
    assert (load.minute, load.hour, load.held, load.waiting, load.penalty) == (3, 3, 3, 1, 0.0)
    assert governor.eta(BUCKET, "x") == 60.0 and governor.eta(BUCKET, "nobody") is None
    assert governor.leave(BUCKET, "x") and not governor.leave(BUCKET, "x")
    assert governor.load(BUCKET).waiting == 0


def test_many_workers_never_pass_the_limit(redis_server: RedisServer, redis_client: redis.Redis, clock: Clock) -> None:
    bucket = Bucket("tenant", "busy", per_minute=20, concurrency=15)

    def worker(number: int) -> bool:
        client = redis.Redis(unix_socket_path=redis_server.socket)
        return isinstance(Governor(client, clock).acquire(bucket, f"t{number}"), Granted)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(worker, range(100))) == 15


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(0, 40), st.integers(0, 5), st.integers(0, 9)), min_size=1, max_size=60))
def test_no_window_ever_holds_more(redis_client: redis.Redis, steps: list[tuple[float, int, int]]) -> None:
    redis_client.flushall()
    clock = Clock()
    governor = Governor(redis_client, clock)
    calls: list[float] = []
    for pause, ticket, priority in steps:
        clock.now += pause
        answer = governor.acquire(BUCKET, f"t{ticket}", priority)
        if isinstance(answer, Granted):
            calls.append(clock.now)
        else:
            assert 0 < answer.seconds <= 60 and answer.eta >= answer.seconds and answer.place >= 1
    for moment in calls:
        # A microsecond of slack: times are kept to the sixth digit.
        assert sum(moment <= call < moment + 60 - 1e-5 for call in calls) <= 3
        assert sum(moment <= call < moment + 3600 - 1e-5 for call in calls) <= 5


def test_waiting_ends_with_a_turn(governor: Governor, clock: Clock) -> None:
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    told: list[tuple[int, float]] = []

    def on_wait(place: int, eta: float) -> None:
        told.append((place, eta))
        clock.now += 40

    answer = governor.wait(BUCKET, "x", on_wait=on_wait, longest_nap=0.01)
    assert answer.ticket == "x" and told == [(1, 60.0), (1, 20.0)]


def test_waiting_can_be_cancelled(governor: Governor) -> None:
    governor.penalise(BUCKET, 1000)
    cancel = threading.Event()
    with pytest.raises(Cancelled):
        governor.wait(BUCKET, "x", cancel=cancel, on_wait=lambda place, eta: cancel.set())
    assert governor.place(BUCKET, "x") is None
    with pytest.raises(Cancelled):
        governor.wait(BUCKET, "x", timeout=0.05)


def test_a_turn_is_given_back(governor: Governor) -> None:
    with pytest.raises(RuntimeError), governor.turn(POOL, "a"):
        assert governor.load(POOL).held == 1
        raise RuntimeError
    assert governor.load(POOL).held == 0


def test_the_servers_clock(redis_client: redis.Redis) -> None:
    governor = Governor(redis_client)
    for call in range(3):
        granted(governor.acquire(BUCKET, f"g{call}"))
    assert 50 < waiting(governor.acquire(BUCKET, "x")).eta <= 60


def test_clients_that_decode(redis_server: RedisServer, redis_client: redis.Redis) -> None:
    client = redis.Redis(unix_socket_path=redis_server.socket, decode_responses=True)
    granted(Governor(client).acquire(BUCKET, "a"))


def test_keys_do_not_stay_for_ever(governor: Governor, redis_client: redis.Redis) -> None:
    lease = granted(governor.acquire(POOL, "a"))
    granted(governor.acquire(POOL, "b"))
    waiting(governor.acquire(POOL, "c"))
    governor.penalise(POOL, 5)
    governor.release(lease)
    keys = redis_client.keys("*")
    assert len(keys) == 10 and all(0 < redis_client.ttl(key) <= 86_400 for key in keys)
    assert all(b"{tenant|logs}" in key for key in keys)


@pytest.fixture
def mortal(redis_server: RedisServer) -> Iterator[RedisServer]:
    yield redis_server
    if redis_server.process is None:
        redis_server.start()


def test_a_restart_is_survived(mortal: RedisServer, redis_client: redis.Redis, clock: Clock) -> None:
    governor = Governor(redis_client, clock)
    lease = granted(governor.acquire(POOL, "a"))
    governor.penalise(BUCKET, 60)
    waiting(governor.acquire(BUCKET, "w"))
    mortal.kill()
    with pytest.raises(GovernorUnavailable, match="does not answer"):
        governor.acquire(POOL, "b")
    mortal.start()
    # The server has forgotten the script and every row; those who are alive write themselves in again.
    assert governor.renew(lease)
    granted(governor.acquire(POOL, "b"))
    waiting(governor.acquire(POOL, "c"))
    assert governor.release(lease)
    granted(governor.acquire(BUCKET, "w"))


def test_buckets_of_an_endpoint() -> None:
    endpoint = Endpoint("T-1", "c", Secret("s"))
    hunting, live, logs = hunting_bucket(endpoint), live_response_bucket(endpoint), loganalytics_bucket(endpoint)
    assert (hunting.per_minute, hunting.per_hour, hunting.concurrency) == (45, 1500, 0)
    assert (live.per_minute, live.concurrency) == (10, 25)
    assert (logs.concurrency, logs.lease_seconds) == (5, 240.0)
    assert hunting.key == "msapi:governor:{t-1|hunting}"


def test_a_call_that_took_long_to_arrive_counts_from_its_answer(governor: Governor, clock: Clock) -> None:
    late = granted(governor.acquire(BUCKET, "late"))
    granted(governor.acquire(BUCKET, "b"))
    granted(governor.acquire(BUCKET, "c"))
    clock.now += 20
    assert governor.made(late)
    clock.now += 41
    granted(governor.acquire(BUCKET, "d"))
    granted(governor.acquire(BUCKET, "e"))
    # Of the last minute are the late one, at 20 s, and these two: the next has room at 80 s.
    bucket = replace(BUCKET, per_hour=0)
    assert waiting(governor.acquire(bucket, "f")) == Wait(19.0, 1, 19.0)
    assert not governor.made(Granted(BUCKET, "late", "another"))


def test_a_shorter_minute_of_a_simulated_tenant(governor: Governor, clock: Clock) -> None:
    quick = replace(BUCKET, api="quick", minute=6.0, per_hour=0)
    for ticket in "abc":
        granted(governor.acquire(quick, ticket))
    assert waiting(governor.acquire(quick, "d")) == Wait(6.0, 1, 6.0)
    clock.now += 6.0
    granted(governor.acquire(quick, "d"))
