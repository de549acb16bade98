"""docs/quick-start.md: every path, name and command in it is one that is there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Final

import yaml

from tests.deploy.generated import DEPLOY, NAMESPACE
from tests.deploy.rendering import KUBECTL, Manifest, container_of, every, find, kustomized

ROOT: Final = DEPLOY.parent
TEXT: Final = (ROOT / "docs/quick-start.md").read_text()
SHELL: Final = "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)).replace("\\\n", " ")
LINES: Final = SHELL.splitlines()


def test_every_folder_and_file_is_there() -> None:
    paths = set(re.findall(r"\bdeploy/[\w/.-]+\w", SHELL)) - {"deploy/typha"}  # which is the Deployment
    assert {"deploy/Dockerfile", "deploy/overlays/cert-manager", "deploy/agent"} == paths
    assert all((ROOT / path).exists() for path in paths)


def test_what_is_applied_is_rendered_with_the_image_of_the_registry() -> None:
    applied = [line.removesuffix(" | kubectl apply -f -") for line in LINES if line.endswith("kubectl apply -f -")]
    assert len(applied) == 2
    for line in applied:
        script = f'REGISTRY=registry.example.com\nkubectl() {{ "{KUBECTL}" "$@"; }}\n{line}'
        done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60)
        manifests: list[Manifest] = list(yaml.safe_load_all(done.stdout))
        workloads = every(manifests, "Deployment") + every(manifests, "DaemonSet")
        images = [each["spec"]["template"]["spec"]["containers"][0]["image"] for each in workloads]
        assert images == ["registry.example.com/typha:0.1.0"]
    assert "-t $REGISTRY/typha:0.1.0" in SHELL


def test_what_is_run_in_pods_is_there() -> None:
    servers, agents = kustomized("overlays/cert-manager"), kustomized("agent")
    assert set(re.findall(r"-n (\S+)", SHELL)) == {NAMESPACE}
    assert set(re.findall(r"deploy/(\w+) (?:--|9096|$)", SHELL)) <= {find(servers, "Deployment")["metadata"]["name"]}
    agent = find(agents, "DaemonSet")
    assert set(re.findall(r"daemonset/([\w-]+)", SHELL)) == {agent["metadata"]["name"]}
    (container,) = agent["spec"]["template"]["spec"]["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    assert f"cat {variables['OUTPUT']}" in SHELL
    assert f"typha_client doctor {variables['SERVERS']}" in SHELL
    files = re.findall(r"--tls-\w+ (\S+)", SHELL)
    assert {str(Path(file).parent) for file in files} == {variables["TLS"]}
    assert {Path(file).name for file in files} == {"ca.crt", "tls.crt", "tls.key"}
    assert container_of(servers)["ports"][0]["containerPort"] == int(variables["SERVERS"].rpartition(":")[2])


def test_links_lead_somewhere() -> None:
    for page in ("quick-start", "when-not-to-use-it"):
        for path, anchor in re.findall(
            r"\]\((?!http)([\w./-]+)(?:#([\w-]+))?\)", (ROOT / f"docs/{page}.md").read_text()
        ):
            target = (ROOT / "docs" / path).resolve()
            assert target.exists(), path
            if anchor:
                headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
                slugs = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
                assert anchor in slugs, f"{path}#{anchor}"
