import { join } from "node:path";
import { version } from "../../package.json";
import { images } from "../../scripts/docker/images.ts";
import { print } from "../../src/terminal/print.ts";
import { buildImages, makeBaseImages } from "./base-images.ts";
import { readCompose } from "./read-compose.ts";
import type { Podman } from "./podman.ts";

const compose = join(import.meta.dir, "../../compose.yaml");

/** Makes the base images, builds ours on them, and prints their sizes. */
export async function prepareImages(podman: Podman): Promise<void> {
  const { services } = readCompose(compose);
  const imageOf = (service: string): string => services[service]?.image ?? "";
  await makeBaseImages(podman, { timescaledb: imageOf("timescaledb"), prometheus: imageOf("prometheus") }, print);
  const names = images({ registry: undefined, tag: version });
  const startedAt = performance.now();
  await buildImages(podman, names);
  print(`built in ${Math.round((performance.now() - startedAt) / 1000)} s`);
  const layers = await podman.run("history", "--format", "{{.Size}} {{.CreatedBy}}", "--human=false", names.pipeline);
  print(`${names.pipeline}: ${await mebibytes(podman, names.pipeline)} MiB, layer by layer:`);
  for (const line of layers.split("\n")) {
    const [bytes = "0", ...by] = line.split(" ");
    if (Number(bytes) >= 1024 ** 2) print(`  ${inMebibytes(Number(bytes))} MiB  ${by.join(" ").slice(0, 90)}`);
  }
  print(`${names.etcd}: ${await mebibytes(podman, names.etcd)} MiB`);
  const bill = await podman.run("run", "--rm", names.pipeline, "cat", "sbom/bom.cdx.json");
  const { components } = JSON.parse(bill) as { components: readonly { readonly scope: string }[] };
  print(
    `bill of materials: ${components.length} packages, ${components.filter(({ scope }) => scope === "required").length} in the image`,
  );
}

const inMebibytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(0);

async function mebibytes(podman: Podman, name: string): Promise<string> {
  return inMebibytes(Number(await podman.inspect(name, "{{.Size}}")));
}
