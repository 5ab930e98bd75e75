"""Without a configuration: it listens on the usual ports, says so in three lines, and takes what an SDK sends."""
import lib
import otlp


class Default(lib.Case):
    def test_runs_without_configuration(self):
        with lib.Leat(args=["--seconds", "3"]) as leat:
            leat.wait_log(r"4318")
            for s in otlp.SIGNALS:
                self.assertEqual(lib.send(4318, s, [f"{s}-a", f"{s}-b"]).status, 200)
            r = lib.grpc(4317, "traces", otlp.request("traces", ["over-grpc"]))
            self.assertEqual((r.status, r.text), (0, ""))
            self.assertEqual(leat.wait(), 0)
            text = leat.text
        self.assertNotIn("\terror\t", text)
        self.assertIn("4317", text)

    def test_says_where_to_send_in_three_lines(self):
        code, out, err = lib.run("--seconds", "1")
        self.assertEqual(code, 0, err)
        self.assertEqual(len(out.splitlines()), 3, out)
        for word in ("localhost:4317", "http://localhost:4318", "leat print-config"):
            self.assertIn(word, out)

    def test_the_sdks_variable_says_where_to_forward(self):
        with lib.Sink() as sink, lib.Leat(env={"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{sink.port}",
                                               "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}) as leat:
            leat.wait_log(rf"127\.0\.0\.1:{sink.port}")
            lib.wait_until(lambda: lib.Client(4318).send("logs", ["forwarded"]) == 200, "it takes a request")
            sink.wait_for("logs", ["forwarded"])

    def test_a_busy_port_is_a_sentence(self):
        with lib.Leat(args=["--seconds", "20"]) as first:
            first.wait_log(r"4318")
            code, out, err = lib.run("--seconds", "20")
            self.assertEqual(code, 1, out + err)
            self.assertRegex(out + err, r"127\.0\.0\.1:431[78]|localhost:431[78]")
            self.assertRegex(out + err, r"(?i)in use")


if __name__ == "__main__":
    lib.main()
