"""Which topics there are, which feeds list them, and which watches and converters they need.

`calico` has the built-in ones, `parse` those of the configuration file, `topics` what both are made of, `rules` who may
read them, `rights` what we need on the API server. Nothing here talks to an API server or holds an object.
"""

from typha.config import Config
from typha.feeds.calico import calico_feeds
from typha.feeds.parse import FeedsError, parse
from typha.feeds.rules import RightsError, parse_rules, secret_topics
from typha.feeds.topics import CustomTopic, Feeds, KeyRule, TopicSpec

__all__ = [
    "CustomTopic",
    "Feeds",
    "FeedsError",
    "KeyRule",
    "RightsError",
    "TopicSpec",
    "of",
    "parse",
    "parse_rules",
    "secret_topics",
]


def of(config: Config) -> Feeds:
    """Everything that a configuration serves. Raises FeedsError."""
    calico = config.calico
    built_in = calico_feeds(
        config.calico_feeds, use_pod_cidr=calico.use_pod_cidr, interface_prefix=calico.interface_prefix
    )
    return parse(config.topics, config.feeds, built_in)
