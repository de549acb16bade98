"""Values packed with a dictionary of their topic, and when."""

from __future__ import annotations

import msgpack
import pytest

from tests.cache.entries import listed
from typha.cache.packing import FAST_ENOUGH_BYTE_S, FAST_ENOUGH_S, FIRST_TRAINED_AT, Codec, Packer, size_of
from typha.cache.topic import Topic


@pytest.fixture(scope="module", autouse=True)
def _held() -> None:
    """Here packing is as it is: not of everything, as for the other tests of the cache."""


def pod(number: int) -> bytes:
    """Alike, as pods are."""
    labels = {"app": f"shop-{number % 7}", "pod-template-hash": f"{number * 7919 % 100_003:x}", "tier": "backend"}
    packed: bytes = msgpack.packb({"labels": labels, "profiles": ["kns.shop", "ksa.shop.default"], "number": number})
    return packed


def at_no_cost() -> Packer:
    """A clock that stands: how fast this machine is does not matter here."""
    return Packer(lambda: 0.0)


def trained(count: int = 1000) -> Codec:
    packer = at_no_cost()
    packer.train(map(pod, range(count)))
    assert packer.codec is not None
    return packer.codec


def test_what_is_packed_is_smaller_and_comes_back() -> None:
    codec = trained()
    values = [pod(number) for number in range(5000, 5100)]
    packed = [codec.pack(value) for value in values]
    assert [codec.unpack(each) for each in packed] == values
    assert [size_of(each) for each in packed] == [len(value) for value in values]
    assert sum(map(len, packed)) < 0.5 * sum(map(len, values))


def test_equal_values_pack_alike_in_any_order_and_in_any_process() -> None:
    one, other = trained(), trained()
    values = [pod(number) for number in range(2000)]
    first = [one.pack(value) for value in values]
    assert [other.pack(value) for value in reversed(values)][::-1] == first
    assert [one.pack(value) for value in values] == first


def test_what_does_not_shrink_stays_plain() -> None:
    codec = trained()
    noise = bytes(number * number * 31 % 251 for number in range(300))
    assert codec.pack(noise) is noise
    assert codec.pack(b"\xc3") == b"\xc3"
    packer = Packer()
    packer.train([b"\xc3"] * 1000)  # nothing to learn from
    assert packer.codec is None


def test_a_topic_trains_when_it_has_enough_and_again_when_it_has_sixteen_times_as_many() -> None:
    topic = Topic("pods", 0, form="1", make_packer=at_no_cost)
    loading = topic.begin_list()
    for number in range(FIRST_TRAINED_AT - 1):
        loading.put(f"a/{number}", number + 1, [(f"a/{number}", pod(number), ())])
    loading.commit(9_000, 0.0)
    assert topic.packer is not None
    assert topic.packer.codec is None
    codecs: set[Codec | None] = set()
    for number in range(FIRST_TRAINED_AT * 16 + 1):
        key = f"b/{number}"
        topic.put(key, 10_000 + number, [(key, pod(number), ())], 0.0)
        codecs.add(topic.packer.codec)
    assert len(codecs - {None}) == 2
    for entry in topic.log.entries.values():
        assert entry.value == pod(int(entry.key[2:]))
        assert entry.size == len(entry.key) + len(entry.value)
    assert topic.log.entries["a/3"].codec is None
    assert topic.log.entries["b/900"].codec is not None


def test_an_unchanged_value_is_known_whatever_packed_it() -> None:
    topic = listed(Topic("pods", 0, form="1", make_packer=at_no_cost), 1)
    for rv, number in enumerate(range(FIRST_TRAINED_AT * 2), 2):
        topic.put(f"a/{number}", rv, [(f"a/{number}", pod(number), ())], 0.0)
    rvs = [entry.rv for entry in topic.log.entries.values()]
    for rv, number in enumerate(range(FIRST_TRAINED_AT * 2), 10_000):
        topic.put(f"a/{number}", rv, [(f"a/{number}", pod(number), ())], 0.0)
    assert [entry.rv for entry in topic.log.entries.values()] == rvs
    assert topic.unchanged_total == FIRST_TRAINED_AT * 2


def test_without_zstd_nothing_packs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("typha.wire.compression._zstd", None)
    with pytest.raises(RuntimeError, match="zstd"):
        Packer()


def test_what_takes_too_long_stays_plain() -> None:
    size = sum(len(pod(number)) for number in range(64))
    allowed_s = 64 * FAST_ENOUGH_S + size * FAST_ENOUGH_BYTE_S
    for seconds, is_packed in ((allowed_s, True), (allowed_s * 1.01, False)):
        packer = Packer(iter((0.0, seconds)).__next__)
        packer.train(map(pod, range(1000)))
        assert (packer.codec is not None) is is_packed
