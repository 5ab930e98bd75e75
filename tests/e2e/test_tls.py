"""TLS and mutual TLS on receivers and exporters, with certificates made for the test."""
import ssl
import subprocess

import lib
import otlp


class Tls(lib.Case):
    def setUp(self):
        self.files = lib.certificates(self.folder())

    def receiver(self, more=""):
        block = f"{{cert_file: {self.files['server.pem']}, key_file: {self.files['server.key']}{more}}}"
        return (f"otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0, tls: {block}}}, "
                f"http: {{endpoint: 127.0.0.1:0, tls: {block}}}}}}}")

    def curl(self, port, *args):
        return subprocess.run(["curl", "-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_version} %{http_code}", "--cacert",
                               self.files["ca.pem"], "-H", "content-type: application/x-protobuf", "--data-binary", "",
                               *args, f"https://localhost:{port}/v1/logs"], capture_output=True, text=True, timeout=30)

    def test_server(self):
        with lib.Leat(lib.config("debug: {}", "[debug]", receivers=self.receiver())) as leat:
            port = leat.port("otlp", "http")
            trusted = lib.client_tls(self.files["ca.pem"])
            self.assertEqual(lib.send(port, "logs", ["over-tls"], tls=trusted).status, 200)
            with self.assertRaises(ssl.SSLCertVerificationError):
                lib.send(port, "logs", ["x"], tls=ssl.create_default_context())
            self.assertEqual(self.curl(port, "--http2").stdout, "2 200")
            self.assertEqual(self.curl(port, "--http1.1").stdout, "1.1 200")
            self.assertNotEqual(self.curl(port, "--tls-max", "1.1").returncode, 0, "TLS 1.1 was accepted")
            try:
                status = lib.send(port, "logs", ["in the clear"]).status
            except (OSError, lib.http.client.HTTPException):
                status = 0
            self.assertNotEqual(status, 200)
            self.assertEqual(lib.send(port, "logs", ["again"], tls=trusted).status, 200)

    def test_mutual(self):
        text = lib.config("debug: {}", "[debug]", receivers=self.receiver(f", client_ca_file: {self.files['ca.pem']}"))
        with lib.Leat(text) as leat:
            port = leat.port("otlp", "http")
            known = lib.client_tls(self.files["ca.pem"], self.files["client.pem"], self.files["client.key"])
            self.assertEqual(lib.send(port, "logs", ["known"], tls=known).status, 200)
            with self.assertRaises((ssl.SSLError, ConnectionError, lib.http.client.RemoteDisconnected)):
                lib.send(port, "logs", ["unknown"], tls=lib.client_tls(self.files["ca.pem"]))

    def test_exporters(self):
        """otlp_http and otlp_grpc of one process into the TLS receiver of another, mutual."""
        inner = lib.config("debug: {verbosity: detailed, use_internal_logger: false}", "[debug]",
                           receivers=self.receiver(f", client_ca_file: {self.files['ca.pem']}"))
        with lib.Leat(inner) as far:
            block = (f"tls: {{ca_file: {self.files['ca.pem']}, cert_file: {self.files['client.pem']}, "
                     f"key_file: {self.files['client.key']}}}, sending_queue: {{enabled: false}}")
            exporters = (f"otlp_http: {{endpoint: 'https://localhost:{far.port('otlp', 'http')}', {block}}}\n"
                         f"  otlp_grpc: {{endpoint: 'localhost:{far.port('otlp', 'grpc')}', {block}}}")
            with lib.Leat(lib.config(exporters, "[otlp_http, otlp_grpc]")) as near:
                r = lib.send(near.port("otlp", "http"), "logs", ["tls-both-ways"])
                self.assertEqual(r.status, 200, otlp.status(r.body))
            lib.wait_until(lambda: far.log().count("tls-both-ways") == 2, "the record arrives by both exporters")

    def test_a_server_that_is_not_trusted_gets_nothing(self):
        with lib.Leat(lib.config("debug: {}", "[debug]", receivers=self.receiver())) as far:
            exporter = (f"otlp_http: {{endpoint: 'https://localhost:{far.port('otlp', 'http')}', "
                        "sending_queue: {enabled: false}, retry_on_failure: {enabled: false}}")
            with lib.Leat(lib.config(exporter, "[otlp_http]")) as near:
                r = lib.send(near.port("otlp", "http"), "logs", ["a"])
                self.assertEqual(r.status, 503)
                near.wait_log(r"(?i)certificate")

    def test_a_missing_certificate_is_a_configuration_error(self):
        self.files["server.pem"] = "/nonexistent/server.pem"
        d = self.folder()
        with open(f"{d}/c.yaml", "w", encoding="utf-8") as f:
            f.write(lib.config("debug: {}", "[debug]", receivers=self.receiver()))
        code, out, err = lib.run("--config", f"{d}/c.yaml")
        self.assertEqual(code, lib.EX_CONFIG, out + err)
        self.assertIn("/nonexistent/server.pem", out + err)


if __name__ == "__main__":
    lib.main()
