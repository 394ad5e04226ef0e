import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import client from "../clients/typescript/package.json";
import manifest from "../package.json";

const read = (path: string): string => readFileSync(join(import.meta.dir, "..", path), "utf8");

test("chart, client, image and changelog have the version of package.json", () => {
  const { version } = manifest;
  const chart = parse(read("deployments/helm/telemetry-pipeline/Chart.yaml")) as Record<string, unknown>;
  const compose = read("compose.yaml");
  expect([chart["version"], chart["appVersion"], client.version]).toEqual([version, version, version]);
  expect(read("Dockerfile")).toContain(`ARG VERSION=${version}\n`);
  expect(new Set([...compose.matchAll(/IMAGE_TAG:-([^}]+)\}/g)].map(([, tag]) => tag))).toEqual(new Set([version]));
  expect(read("CHANGELOG.md")).toContain(`## [${version}]`);
});
