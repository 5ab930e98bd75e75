"""Who may send: basicauth and bearertokenauth on receivers, and on exporters as clients."""
import base64
import hashlib
import os
import subprocess

import lib
import otlp


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


def receiver(authenticator):
    return (f"otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0, auth: {{authenticator: {authenticator}}}}}, "
            f"http: {{endpoint: 127.0.0.1:0, auth: {{authenticator: {authenticator}}}}}}}}}")


class Auth(lib.Case):
    def check(self, leat, good, bad, challenge):
        http, grpc = leat.port("otlp", "http"), leat.port("otlp", "grpc")
        body = otlp.request("logs", ["a"])
        for headers in good:
            self.assertEqual(lib.post(http, "logs", body, headers=headers).status, 200, headers)
            lines = [f"{k.lower()}: {v}" for k, v in headers.items()]
            self.assertEqual(lib.grpc(grpc, "logs", body, headers=lines).status, 0, headers)
        for headers in [{}, *bad]:
            r = lib.post(http, "logs", body, headers=headers)
            self.assertEqual(r.status, 401, headers)
            self.assertTrue(r.headers.get("www-authenticate", "").startswith(challenge), r.headers)
            lines = [f"{k.lower()}: {v}" for k, v in headers.items()]
            self.assertEqual(lib.grpc(grpc, "logs", body, headers=lines).status, 16, headers)
        for secret in ("hunter2", "t0ken"):
            self.assertNotIn(secret, leat.log())

    def test_basic_of_an_htpasswd_file(self):
        apr1 = subprocess.run(["openssl", "passwd", "-apr1", "apr-pass"], check=True, capture_output=True,
                              text=True).stdout.strip()
        sha = "{SHA}" + base64.b64encode(hashlib.sha1(b"sha-pass").digest()).decode()
        path = os.path.join(self.folder(), "htpasswd")
        with open(path, "w", encoding="ascii") as f:
            f.write(f"plain:hunter2\nsha:{sha}\napr:{apr1}\n")
        text = lib.config("debug: {}", "[debug]", receivers=receiver("basicauth/in"),
                          extensions=f"basicauth/in: {{htpasswd: {{file: {path}, inline: 'in-line:other'}}}}",
                          extended="[basicauth/in]")
        with lib.Leat(text) as leat:
            self.check(leat, [basic("plain", "hunter2"), basic("sha", "sha-pass"), basic("apr", "apr-pass"),
                              basic("in-line", "other")],
                       [basic("plain", "wrong"), basic("sha", ""), basic("nobody", "hunter2"), basic("apr", "apr"),
                        {"Authorization": "Basic !!!"}, {"Authorization": "Bearer hunter2"}], "Basic")

    def test_bearer_tokens(self):
        text = lib.config("debug: {}", "[debug]", receivers=receiver("bearertokenauth"),
                          extensions="bearertokenauth: {tokens: [t0ken-one, t0ken-two]}", extended="[bearertokenauth]")
        with lib.Leat(text) as leat:
            self.check(leat, [{"Authorization": "Bearer t0ken-one"}, {"Authorization": "Bearer t0ken-two"}],
                       [{"Authorization": "Bearer t0ken"}, {"Authorization": "Bearer t0ken-one2"},
                        {"Authorization": "t0ken-one"}, {"Authorization": "Basic dDBrZW4tb25l"}], "Bearer")

    def test_a_token_file_is_read_again(self):
        path = os.path.join(self.folder(), "token")
        with open(path, "w", encoding="ascii") as f:
            f.write("old-token\n")
        text = lib.config("debug: {}", "[debug]", receivers=receiver("bearertokenauth"),
                          extensions=f"bearertokenauth: {{filename: {path}}}", extended="[bearertokenauth]")
        with lib.Leat(text) as leat:
            port = leat.port("otlp", "http")

            def status(token):
                return lib.send(port, "logs", ["a"], headers={"Authorization": f"Bearer {token}"}).status
            self.assertEqual((status("old-token"), status("new-token")), (200, 401))
            with open(path + ".new", "w", encoding="ascii") as f:
                f.write("new-token\n")
            os.replace(path + ".new", path)
            lib.wait_until(lambda: status("new-token") == 200, "the new token is known")
            self.assertEqual(status("old-token"), 401)

    def test_exporters_sign(self):
        exporters = {"basicauth/out": ("client_auth: {username: me, password: hunter2}", basic("me", "hunter2")["Authorization"]),
                     "bearertokenauth/out": ("token: t0ken-out", "Bearer t0ken-out")}
        for name, (settings, wanted) in exporters.items():
            with lib.Sink() as sink:
                text = lib.config(f"otlp_http: {{endpoint: 'http://127.0.0.1:{sink.port}', auth: {{authenticator: {name}}}}}",
                                  "[otlp_http]", extensions=f"{name}: {{{settings}}}", extended=f"[{name}]")
                with lib.Leat(text) as leat:
                    self.assertEqual(lib.send(leat.port("otlp", "http"), "logs", ["signed"]).status, 200)
                    sink.wait_for("logs", ["signed"])
                self.assertEqual({k.lower(): v for k, v in sink.requests[0][2].items()}["authorization"], wanted)

    def test_an_authenticator_must_be_defined(self):
        path = os.path.join(self.folder(), "c.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write(lib.config("debug: {}", "[debug]", receivers=receiver("basicauth")))
        code, out, err = lib.run("--config", path)
        self.assertIn(code, (1, lib.EX_CONFIG))
        self.assertIn("basicauth", out + err)


if __name__ == "__main__":
    lib.main()
