"""Servers and clients around one Truth, driven step by step."""

from __future__ import annotations

from tests.kit.client import Client
from tests.kit.server import WHOLE_ROUNDS, Clock, Server
from tests.kit.truth import BAD, Body, Truth, Where
from typha.downstream.settings import DownstreamSettings


class World:
    """A Truth, servers ``a``, ``b`` (and ``c`` ..), and any clients."""

    def __init__(
        self, *, tombstones: int = 3, servers: str = "ab", settings: DownstreamSettings = WHOLE_ROUNDS
    ) -> None:
        self.truth = Truth()
        self.clock = Clock()
        self.servers = [
            Server(name, self.truth, self.clock, tombstones=tombstones, settings=settings) for name in servers
        ]
        self.a, self.b = self.servers[:2]
        self.clients: list[Client] = []

    def client(self, *topics: str, where: Where | None = None, compression: tuple[str, ...] = ()) -> Client:
        """Of ``pods`` where no topic is named."""
        name = f"c{len(self.clients)}"
        client = Client(name, self.truth, self.clock, topics=topics or ("pods",), where=where, compression=compression)
        self.clients.append(client)
        return client

    def joined(
        self, server: Server, *topics: str, where: Where | None = None, compression: tuple[str, ...] = ()
    ) -> Client:
        """A client that is in sync at a server that is."""
        self.sync(server)
        client = self.client(*topics, where=where, compression=compression)
        client.connect(server)
        self.deliver()
        assert client.bookmarked == client.replica.cursor == server.catalog.topics[client.topics[0]].head
        client.take_frames()
        client.events.clear()
        return client

    def restart(self, server: Server, *, warm: bool = False) -> None:
        """kill -9 and a fresh start; ``warm``: with what `Server.keep` wrote last."""
        for client in self.clients:
            if client.server is server:
                client.disconnect()
        if not warm or not server.start_warm():
            server.start()

    def put(self, name: str, value: int = 0, node: str = "n0", keys: tuple[str, ...] = ("x",)) -> int:
        """Gives the rv."""
        self.truth.write(name, Body(value, node, keys))
        return self.truth.rv

    def beat(self, name: str) -> int:
        """A write that changes nothing that is converted."""
        body = self.truth.objects[name][1]
        self.truth.write(name, body._replace(beat=body.beat + 1))
        return self.truth.rv

    def bad(self, name: str) -> int:
        return self.put(name, BAD)

    def delete(self, name: str) -> int:
        self.truth.write(name, None)
        return self.truth.rv

    def sync(self, *servers: Server) -> None:
        """These servers hold everything and have published it."""
        for server in servers or self.servers:
            if not server.has_listed:
                server.relist()
            server.watch()
            server.bookmark()
            server.settle()

    def deliver(self) -> None:
        """All connections run until they are quiet."""
        for _ in range(200):
            for server in self.servers:
                server.settle()
            busy = [client for client in self.clients if client.outlet.buffer and client.is_connected]
            for client in busy:
                client.deliver()
            for client in self.clients:
                client.follow()
            if not busy and not any(server.fan_out.has_work for server in self.servers):
                return
        raise AssertionError("the connections never fall silent")

    def time(self, seconds: float) -> None:
        """Time passes, and every server ticks."""
        self.clock.now += seconds
        for server in self.servers:
            server.fan_out.tick(self.clock.now)

    def move(self, client: Client, server: Server) -> None:
        """The client leaves where it is and joins there, until everything is quiet."""
        client.connect(server)
        self.deliver()

    def quiesce(self, *, must_hold_truth: bool = True) -> None:
        """Everybody catches up; then everybody must hold the truth at a Bookmark at the newest revision."""
        for server in self.servers:
            if not server.is_of_this_life:
                server.notice_restore()
            if self.truth.is_absent:
                server.absent()
        self.sync()
        for client in self.clients:
            client.pace(is_slow=False)
        for _ in range(2):  # what is still on its way may end a connection
            for client in self.clients:
                if not client.is_connected:
                    client.connect(self.a)
            self.deliver()
        self.time(60)
        self.deliver()
        for client in self.clients if must_hold_truth else ():
            client.is_in_sync_at_the_end()


__all__ = ["BAD", "Body", "Client", "Clock", "Server", "Truth", "World"]
