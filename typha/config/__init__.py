"""What the operator asked for: one frozen dataclass per stage, and the way from flags, environment and file to it.

Here belongs what a setting is (`kinds`), which settings there are with default and reason (`model`), where values
come from (`yaml_source`, `environment`), how they are joined and judged (`load`, `contradictions`) and how they are
shown (`show`, `document`). Forbidden: I/O other than reading the configuration file and the files it names, and any
import of a stage: the stages are given their settings, they do not fetch them.
"""

from typha.config.identity import TlsConfig
from typha.config.kinds import HostPort
from typha.config.load import Loaded, Source, load
from typha.config.model import CalicoConfig, Config, LimitsConfig, LogConfig, TimingConfig, UpstreamConfig
from typha.config.problems import ConfigError, Problem
from typha.config.replicas import ReplicasConfig

__all__ = [
    "Config",
    "TlsConfig",
    "LimitsConfig",
    "TimingConfig",
    "ReplicasConfig",
    "UpstreamConfig",
    "CalicoConfig",
    "LogConfig",
    "HostPort",
    "load",
    "Loaded",
    "Source",
    "ConfigError",
    "Problem",
]
