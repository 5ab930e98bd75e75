"""conf/statsd-to-prometheus.yaml as it is shipped, on its own ports: lines in, the same series by remote write and on the page.
Only the interval is shortened, by a second file."""
import os
import socket

import lib
import remote_write

CONF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "conf", "statsd-to-prometheus.yaml")
FASTER = "receivers: {statsd: {aggregation_interval: 200ms}}\n"
LINES = (b"shop.orders:3|c|#region:eu\nshop.orders:4|c|#region:eu\nshop.queue:5|g\nshop.queue:-2|g\nshop.users:a|s\nshop.users:b|s",
         b"shop.checkout:7|ms\nshop.checkout:300|ms\nshop.size:2.5|h|@0.5")


class Shipped(lib.Case):
    def test_lines_become_series(self):
        page = {'shop_orders_total{region="eu"}': 7, "shop_queue": 3, "shop_users": 2, 'shop_checkout_bucket{le="10"}': 1,
                'shop_checkout_bucket{le="+Inf"}': 2, "shop_checkout_sum": 307, "shop_size_count": 2, "shop_size_sum": 5}
        path = os.path.join(self.folder(), "faster.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(FASTER)
        with remote_write.Receiver() as sink, lib.Leat(
                args=["--config", CONF, "--config", path],
                env={"PROMETHEUS_URL": sink.url}) as leat:
            leat.port("prometheus")
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                s.connect(("127.0.0.1", leat.port("statsd")))
                for packet in LINES:
                    s.send(packet)
            lib.wait_until(lambda: page.items() <= self.scraped().items(), lambda: f"{page} in {self.scraped()}")
            wanted = {("shop_orders_total", 7), ("shop_queue", 3), ("shop_users", 2), ("shop_checkout_sum", 307)}
            lib.wait_until(lambda: wanted <= self.written(sink), lambda: f"{wanted} in {self.written(sink)}")
            sizes = [h for s in sink.got("histograms").values() for h in s] if sink.got("histograms") else []
            self.assertTrue(sizes, "the histogram is written as a native one")
        self.assertNotIn("\twarn\t", leat.text)

    @staticmethod
    def scraped():
        """Series of the page without the scope's labels."""
        found = {}
        for line in lib.get(9464, "/metrics").body.decode().splitlines():
            if line.startswith("#"):
                continue
            name, value = line.rsplit(" ", 1)
            name, _, labels = name.partition("{")
            kept = ",".join(x for x in labels.rstrip("}").split(",") if x and not x.startswith("otel_scope_"))
            found[name + (f"{{{kept}}}" if kept else "")] = float(value)
        return found

    @staticmethod
    def written(sink):
        return {(dict(labels)["__name__"], remote_write.double(bits)) for labels, samples in sink.got().items() for _, bits in samples}


if __name__ == "__main__":
    lib.main()
