"""What the admin pages are asked, and what is said where it makes no sense."""

from __future__ import annotations

import pytest

from typha.cache.topic import Topic
from typha.observe.queries import (
    LIMIT,
    Parameters,
    QueryError,
    SubscribersQuery,
    parse_object,
    parse_objects,
    parse_subscribers,
)

TOPICS = {
    topic.name: topic
    for topic in (
        Topic("pods", 0, form="1", attributes=("node", "labels")),
        Topic("workloadendpoints", 1, form="1"),
        Topic("keys", 2, form="1", attributes=("password",)),
    )
}


def test_words_and_the_topic_by_calicoctls_name() -> None:
    found = parse_objects(Parameters.parse("topic=wep&q=Prod%20%20web&values=1&limit=7"), TOPICS)
    assert found == ((("workloadendpoints", None),), ("prod", "web"), True, 7)


def test_without_a_topic_all_are_searched() -> None:
    found = parse_objects(Parameters.parse(""), TOPICS)
    assert [name for name, _ in found.topics] == list(TOPICS)
    assert (found.words, found.in_values, found.limit) == ((), False, LIMIT)


def test_a_where_is_the_topics_own_filter() -> None:
    [(_, wanted)] = parse_objects(Parameters.parse("topic=pods&where=node%3Dn1"), TOPICS).topics
    assert wanted == TOPICS["pods"].parse_filter({"node": "n1"})


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("topic=podz", "there is no topic 'podz'; there are: pods, workloadendpoints, keys"),
        ("topic=pods&topic=keys", "topic is given 2 times"),
        ("name=web", "unknown parameter 'name'; there are: topic, q, where, values, limit"),
        ("limit=0", "limit is '0'; it is a number from 1 to 200"),
        ("limit=201", "limit is '201'; it is a number from 1 to 200"),
        ("limit=%C2%B2", "limit is '²'; it is a number from 1 to 200"),
        ("q=" + "x" * 1001, "q has 1001 characters; at most 1000 are allowed"),
        ("where=node%3Dn1", "where is of one topic; name it: topic=..."),
        ("topic=pods&where=node", "where is 'node'; it is NAME=VALUE, e.g. node=node-1"),
        ("topic=pods&where=zone%3Da", "where: topic pods has no filter 'zone'; it can be filtered by node, labels"),
        ("topic=keys&where=password%3Dx", "keys are Secrets: they are found by name only"),
        ("q=%ff", "the query cannot be decoded: "),
        ("&".join(f"q{n}=" for n in range(40)), "the query cannot be decoded: "),
    ],
)
def test_bad_queries_are_named(query: str, says: str) -> None:
    with pytest.raises(QueryError) as error:
        parse_objects(Parameters.parse(query), TOPICS, {"keys"})
    assert str(error.value).startswith(says)


def test_one_object_has_topic_and_key() -> None:
    assert parse_object(Parameters.parse("topic=pods&key=a%2Fb"), TOPICS) == ("pods", "a/b")
    for query in ("", "topic=pods", "key=a", "topic=wep&key=a"):
        with pytest.raises(QueryError):
            parse_object(Parameters.parse(query), TOPICS)


def test_subscribers_by_lag_unless_said_otherwise() -> None:
    assert parse_subscribers(Parameters.parse("")) == SubscribersQuery((), "lag", LIMIT)
    assert parse_subscribers(Parameters.parse("q=N1&sort=sent&limit=1")) == SubscribersQuery(("n1",), "sent", 1)
    with pytest.raises(QueryError, match="sort is 'age'; it is one of lag, sent, node, connected"):
        parse_subscribers(Parameters.parse("sort=age"))


def test_a_flag_is_there_unless_it_says_no() -> None:
    assert [Parameters.parse(text).flag("v") for text in ("v", "v=1", "", "v=0", "v=false")] == [
        True,
        True,
        False,
        False,
        False,
    ]
