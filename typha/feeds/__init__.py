"""Which topics there are, which feeds list them, and which watches and converters they need.

`calico` has the built-in ones, `parse` those of the configuration file, `topics` what both are made of. Nothing here
talks to an API server or holds an object.
"""

from typha.feeds.parse import FeedsError, parse
from typha.feeds.topics import CustomTopic, Feeds, KeyRule, TopicSpec

__all__ = ["CustomTopic", "Feeds", "FeedsError", "KeyRule", "TopicSpec", "parse"]
