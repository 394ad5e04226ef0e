import { join } from "node:path";
import { version } from "../../package.json";
import { images } from "../../scripts/docker/images.ts";
import { print } from "../../src/terminal/print.ts";
import { baseOf, buildImages, makeBaseImages } from "./base-images.ts";
import { readCompose } from "./read-compose.ts";
import { limits, type Podman } from "./podman.ts";

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
  for (const [name, base] of [
    [names.pipeline, baseOf("Dockerfile")],
    [names.etcd, baseOf("deploy/etcd/Dockerfile")],
  ] as const) {
    const [all, below] = await Promise.all([bytesOf(podman, name), bytesOf(podman, base)]);
    print(`${name}: ${mebibytes(all)} MiB, ${mebibytes(all - below)} of them above ${base}`);
  }
  const bill = await podman.run(
    "run",
    "--rm",
    "--no-healthcheck",
    ...limits,
    names.pipeline,
    "cat",
    "sbom/bom.cdx.json",
  );
  const { components } = JSON.parse(bill) as { components: readonly { readonly scope: string }[] };
  print(
    `bill of materials: ${components.length} packages, ${components.filter(({ scope }) => scope === "required").length} in the image`,
  );
}

const mebibytes = (bytes: number): string => (bytes / 1024 ** 2).toFixed(0);

const bytesOf = async (podman: Podman, name: string): Promise<number> =>
  Number(await podman.inspect(name, "{{.Size}}"));
