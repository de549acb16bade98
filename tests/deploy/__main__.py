"""`make deploy-check`: every way to deploy, rendered, validated, applied; a table, and exit code 1 where one fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial

from tests.controlplane.controlplane import ControlPlane
from tests.deploy.cluster import NEWEST, OLDEST, Cluster, problems_of
from tests.deploy.rendering import Manifest, kustomized
from tests.deploy.variants import variants
from typha.cli.output import show, table

Step = tuple[str, Callable[[], object]]
COLUMNS = ("VARIANT", "OBJECTS", "RENDERED", f"VALID {OLDEST}", f"VALID {NEWEST}", "APPLIED")


def steps(cluster: Cluster, manifests: list[Manifest]) -> Iterator[Step]:
    """What is done with each, in order; a step that raises has failed."""
    for release in (OLDEST, NEWEST):
        yield f"valid {release}", partial(_valid, manifests, release)
    yield "applied", partial(_applied, cluster, manifests)


def _valid(manifests: list[Manifest], release: str) -> None:
    problems = problems_of(manifests, release)
    if problems:
        raise AssertionError("; ".join(problems))


def _applied(cluster: Cluster, manifests: list[Manifest]) -> None:
    """As a dry run, then for real, and the pod that would come of it admitted."""
    with cluster.applied(manifests):
        cluster.admit_pod(manifests)


def main() -> int:
    """0, or 1 where something failed; what failed stands below the table."""
    rows: list[tuple[str, ...]] = []
    failures: list[str] = []
    with ControlPlane() as control_plane, Cluster(control_plane) as cluster:
        for name, render in (variants() | {"agent": partial(kustomized, "agent")}).items():
            try:
                manifests = render()
            except Exception as error:  # noqa: BLE001 - whatever a tool raises is a line of the report
                failures.append(f"{name}: not rendered: {error}")
                rows.append((name, "", "no"))
                continue
            marks = []
            for step, run in steps(cluster, manifests):
                try:
                    run()
                    marks.append("yes")
                except Exception as error:  # noqa: BLE001 - the same
                    failures.append(f"{name}: not {step}: {error}")
                    marks.append("no")
            rows.append((name, str(len(manifests)), "yes", *marks))
    show(table(COLUMNS, rows, right=("OBJECTS",)))
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(rows)} variants, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
