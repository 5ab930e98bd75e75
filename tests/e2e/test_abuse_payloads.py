"""Bodies made to cost much: each is refused (or taken, where it is lawful), and leaves nothing behind."""
import attacks
import bombs
import lib
import under_attack

REFUSALS = {("http", n) for n in (400, 413, 415, 431)} | {("grpc", n) for n in (3, 8, 12, 13)} | {("closed", None)}


class Bombs(under_attack.Attacked):
    receiver = (f"otlp: {{protocols: {{grpc: {{endpoint: 127.0.0.1:0}}, http: {{endpoint: 127.0.0.1:0, "
                f"max_request_body_size: {bombs.LIMIT}}}}}}}")

    # Memory once used stays resident: for each of the two workers a body, what it inflates to, and lz4's two blocks of 4 MiB.
    rss_max = 2 * (2 * bombs.LIMIT + 8 * under_attack.MIB)

    def test_bombs_are_refused(self):
        lawful, numbers = 0, bombs.some(bombs.COUNT if lib.LONG else 200)
        with bombs.Sender(self.http, self.grpc) as sender:
            for n in numbers:
                b = bombs.bomb(n)
                answer = sender.throw(b)
                if answer in (("http", 200), ("grpc", 0)) and b.lawful:
                    lawful += 1
                else:
                    self.assertIn(answer, REFUSALS, f"{n} {b.kind}: {b.body[:80]}")
        print(f"{len(numbers)} bombs, {lawful} lawful ones taken", flush=True)
        self.clients_are_well()
        self.memory_is_back()


if __name__ == "__main__":
    lib.main()
