"""Sends one of everything a StatsD client for Python can send: statsd_emit.py datadog|statsd udp|tcp|unix|stream PLACE
(a port or a path). Values are chosen so that what must come out at the other end can be said exactly."""
import array
import fcntl
import json
import sys
import termios
import time

name, transport, place = sys.argv[1:]
TAGS = ["env:prod", "zone:eu-1"]


def unread(sock):
    """Bytes a Unix datagram socket has sent that nobody has read."""
    size = array.array("i", [0])
    fcntl.ioctl(sock, termios.TIOCOUTQ, size)
    return size[0]


def by_datadog():
    from datadog.dogstatsd.base import DogStatsd
    # A Unix socket that is full (ten datagrams, where nobody has set more) makes it wait instead of dropping.
    where = {"host": "127.0.0.1", "port": int(place)} if transport == "udp" else {"socket_path": place, "socket_timeout": 30}
    c = DogStatsd(**where, namespace="dd", constant_tags=["app:python"], disable_telemetry=True, disable_buffering=True,
                  origin_detection_enabled=False, container_id="ci-0123456789")
    c.increment("counter", 3)
    c.increment("counter", 4)
    c.decrement("counter", 2)
    c.count("tagged", 5, tags=TAGS)
    c.gauge("gauge", 42.5)
    c.gauge("gauge", 7.25)
    for value in (10, 20.5, 30):
        c.timing("timer", value, tags=TAGS)
    for value in (0.5, 7, 700):
        c.histogram("histogram", value)
    for value in (1, 2, 4):
        c.distribution("distribution", value)
    for member in ("ann", "bob", "ann", "über", "bob"):
        c.set("set", member)
    c.count_with_timestamp("dated", 6, 1700000000)
    c.gauge_with_timestamp("dated.gauge", 2.5, 1700000000)
    c.increment("cardinal", 2, cardinality="low")
    c.event("deploy", "line one\nline two", hostname="web-1", aggregation_key="group", priority="low", source_type_name="ci",
            alert_type="warning", date_happened=1700000000, tags=TAGS)
    c.service_check("alive", c.CRITICAL, hostname="web-1", message="not well", timestamp=1700000000, tags=TAGS)
    # Many in one datagram.
    with DogStatsd(**where, namespace="dd", constant_tags=["app:python"], disable_telemetry=True, origin_detection_enabled=False) as many:
        for i in range(200):
            many.increment("packed", 1, tags=[f"n:{i % 4}"])
        many.flush()
        if transport == "unix":
            wait_read(many.socket)
        many.close_socket()
    if transport == "unix":
        wait_read(c.socket)
    c.close_socket()


def wait_read(sock):
    end = time.monotonic() + 30
    while unread(sock):
        if time.monotonic() > end:
            sys.exit("nobody reads the socket")
        time.sleep(0.01)


def by_statsd():
    import statsd
    client = {"udp": lambda: statsd.StatsClient("127.0.0.1", int(place), prefix="py"),
              "tcp": lambda: statsd.TCPStatsClient("127.0.0.1", int(place), prefix="py"),
              "stream": lambda: statsd.UnixSocketStatsClient(place, prefix="py")}[transport]()
    client.incr("counter", 3)
    client.incr("counter", 4)
    client.decr("counter", 2)
    client.gauge("gauge", 42.5)
    client.gauge("gauge", 7.25)
    client.gauge("negative", -3.5)  # goes out as 0 and a change
    client.gauge("level", 10)
    client.gauge("level", 5, delta=True)
    client.gauge("level", -2.5, delta=True)
    for value in (10, 20.5, 30):
        client.timing("timer", value)
    for member in ("ann", "bob", "ann", "zoe", "bob"):
        client.set("set", member)
    with client.pipeline() as many:
        for _ in range(200):
            many.incr("packed")
        many.gauge("last", 3)
    client.close()


{"datadog": by_datadog, "statsd": by_statsd}[name]()
print(json.dumps({"sent": True}))
