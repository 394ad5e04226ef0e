import { afterAll, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { version } from "../../package.json";

// docker-build-nexus and its kin, with a stand-in for Podman that writes down what it is asked for.

const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "docker-commands-"));
afterAll(() => rmSync(folder, { recursive: true }));
const calls = join(folder, "calls");

function standIn(status: number): void {
  writeFileSync(join(folder, "podman"), `#!/bin/sh\necho "$@" >> ${calls}\nexit ${status}\n`);
  chmodSync(join(folder, "podman"), 0o755);
  writeFileSync(calls, "");
}

/** Runs a command where only these folders have programs. */
function run(command: string, path: string, env: Record<string, string> = {}) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, join(root, "scripts/docker.ts"), command], {
    env: { PATH: path, ...env },
  });
  return { status: exitCode, output: `${stdout.toString()}${stderr.toString()}`.trim() };
}

test("without Docker and Podman, one sentence says what is missing and what runs without", () => {
  for (const command of ["build", "push"]) {
    const env = { DOCKER_REGISTRY: "registry.example.org" };
    expect(run(command, join(folder, "nothing"), env)).toEqual({
      status: 1,
      output: `docker-${command}-nexus needs Docker or Podman, and neither is installed here; without containers, make scale-local runs the pipeline on this machine`,
    });
  }
  standIn(1);
  expect(run("build", folder).output).toContain("podman is installed, but does not answer here");
});

test("docker-build-nexus builds both images, and docker-push-nexus pushes them to DOCKER_REGISTRY", () => {
  standIn(0);
  const env = { DOCKER_REGISTRY: "registry.example.org/gpu/" };
  expect(run("build", folder, env).status).toBe(0);
  expect(run("push", folder, env).status).toBe(0);
  const asked = readFileSync(calls, "utf8")
    .split("\n")
    .filter((line) => !["", "info"].includes(line));
  const names = ["pipeline", "etcd"].map((name) => `registry.example.org/gpu/gpu-telemetry-${name}:${version}`);
  expect(asked).toEqual([
    `build --format docker --build-arg VERSION=${version} --build-arg REVISION=unknown --tag ${names[0]} .`,
    `build --format docker --tag ${names[1]} deploy/etcd`,
    ...names.map((name) => `push ${name}`),
  ]);
  const { status, output } = run("push", folder);
  expect([status, output.slice(0, 26)]).toEqual([1, "DOCKER_REGISTRY is not set"]);
});

test("docker-build-legacy says that it is gone, and what to use", () => {
  const { status, output } = run("legacy", folder);
  expect(output).toMatch(/gone.*docker-build-nexus/);
  expect(status).toBe(1);
});
