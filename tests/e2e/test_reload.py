"""SIGHUP, log level and tasks of a running server: what changes, what is named, what stays."""

from __future__ import annotations

import http.client
import json
from asyncio import to_thread

import pytest

from tests.e2e.house import House
from tests.e2e.objects import pods_topic
from tests.e2e.typha_process import Json, TyphaProcess

pytestmark = pytest.mark.e2e


def told(server: TyphaProcess, message: str) -> list[Json]:
    return [line for line in server.log_lines() if line.get("msg") == message]


def put(server: TyphaProcess, target: str) -> tuple[int, str]:
    host, port = server.status_address().split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("PUT", target)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


async def test_limits_change_and_a_wrong_file_changes_nothing(house: House, namespace: str) -> None:
    await to_thread(house.rest.create_pod, namespace, "p", "n1")
    server = await house.serve({"pods": pods_topic(namespace)})
    agent = await house.agent(server)
    await house.wait_equal()

    await to_thread(server.reload, limits={"max_connections": 1}, life="another")
    await house.wait("it was read", lambda: bool(told(server, "the configuration was read anew")))
    assert told(server, "the configuration was read anew")[0]["applied"] == "limits.max_connections"
    assert told(server, "changed settings that need a restart")[0]["settings"] == "life"
    late = await house.agent(server)
    await house.wait("it is refused", lambda: "overloaded" in str(late.client.last_error))
    assert agent.client.is_synced
    assert agent.client.statistics()["connects"] == 1

    await to_thread(server.reload, limits={"max_connections": 10}, log={"level": "warning"}, life="")
    await house.wait("the late one is served", lambda: late.client.is_synced)
    assert json.loads(server.page("/log-level", admin=True).text)["root"] == "warning"
    code, _ = await to_thread(put, server, "/log-level?level=debug")
    assert code == 200
    assert json.loads(server.page("/log-level", admin=True).text)["root"] == "debug"

    tasks = server.page("/tasks", admin=True).text
    assert "task reflector v1/pods" in tasks
    assert "thread typha-observe" in tasks

    # The file that was right is what the next reload is compared with.
    good = server.config
    server.config = {**good, "limits": {"max_connections": "many"}}
    await to_thread(server.reload)
    message = "the new configuration is not used; the one of before stays"
    await house.wait("it is refused", lambda: bool(told(server, message)))
    (line,) = told(server, message)
    assert "limits.max_connections" in line["problems"]
    assert (line["level"], server.status()["server"]["max_connections"]) == ("error", 10)
    await house.wait_equal()
    await to_thread(server.kill)
    # `check` wants no error in any log; this one was meant.
    server.log_path.write_text("")
