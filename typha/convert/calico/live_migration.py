"""Live migrations of virtual machines: Calico's LiveMigration made of KubeVirt's VirtualMachineInstanceMigration.

Place: kubevirt.io/v1/virtualmachineinstancemigrations ->
`/calico/resources/v3/projectcalico.org/livemigrations/NS/NAME`, for Felix, which keeps traffic to the machine
going while it moves. Source: rule 4.8 (LiveMigration); libcalico-go `backend/k8s/resources`, `apis/internalapi`.

Invariants
1. There is one while KubeVirt schedules, prepares or runs the migration, and after it failed; none in other phases, or
   where the machine's name or the migration's UID is missing.
2. The target is a selector of the new pod's labels: machine and migration. It never selects more: a name with a quote,
   which would end the text in the selector, is quarantined (Calico sends it; a deliberate difference).
3. The source pod is there as soon as KubeVirt names it.
4. The UID is the migration's own.

Road not taken: the phase in the value. Felix follows the endpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from typha.convert.calico import keys
from typha.convert.calico.metadata import Metadata, checked, of_kubernetes, v3_object
from typha.convert.calico.reading import reader_of
from typha.convert.calico.values import encode
from typha.convert.converter import ConversionError, Converted, form_of

__all__ = ["LiveMigrations", "keys_of"]

_PHASES: Final = frozenset({"Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running", "Failed"})
# Labels that KubeVirt puts onto the pod that a machine moves to.
_MACHINE_LABEL: Final = "vmi.kubevirt.io/id"
_MIGRATION_LABEL: Final = "kubevirt.io/migrationJobUID"


class _Spec(msgspec.Struct):
    machine: str = msgspec.field(default="", name="vmiName")


class _State(msgspec.Struct):
    source_pod: str = msgspec.field(default="", name="sourcePod")


class _Status(msgspec.Struct):
    phase: str = ""
    state: _State = msgspec.field(default_factory=_State, name="migrationState")


class _Migration(msgspec.Struct):
    metadata: Metadata = Metadata()
    spec: _Spec = msgspec.field(default_factory=_Spec)
    status: _Status = msgspec.field(default_factory=_Status)


_read: Final = reader_of(_Migration)


def keys_of(object_name: str) -> Sequence[str]:
    """The one key of the migration `namespace/name`."""
    return (keys.v3("livemigrations", object_name),)


class LiveMigrations:
    """The converter."""

    def __init__(self, group: str = "") -> None:
        self.form = form_of(converter="calico/live_migration", version=1, group=group)
        self.attributes = ("namespace",)
        self.standing: Sequence[Converted] = ()

    def convert(self, object_name: str, raw: bytes) -> Sequence[Converted]:
        """One entry while the machine moves, else none. Raises ConversionError."""
        migration = _read(raw)
        stored, machine = migration.metadata, migration.spec.machine
        if migration.status.phase not in _PHASES or not machine or not stored.uid:
            return ()
        if "'" in machine or "'" in stored.uid:
            raise ConversionError("spec.vmiName: a name with a quote has no selector")
        namespace = object_name.partition("/")[0]
        spec: dict[str, Any] = {}
        if source := migration.status.state.source_pod:
            spec["source"] = {"workload": {"orchestratorID": "k8s", "workloadID": f"{namespace}/{source}"}}
        selector = f"{_MACHINE_LABEL} == '{machine}' && {_MIGRATION_LABEL} == '{stored.uid}'"
        spec["target"] = {"selector": selector}
        metadata = checked(of_kubernetes(stored, stored.labels, stored.annotations))
        value = encode(v3_object("LiveMigration", metadata, spec))
        return (Converted(keys.v3("livemigrations", object_name), value, (namespace,)),)
