import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { trixieFolder } from "../../dev/servers/trixie.ts";
import { limits, type Podman } from "./podman.ts";

// Images under the names of the files' base images, made from Debian's packages and the Bun that runs this: they stand in for the
// real ones where no registry of images can be reached.

const root = join(import.meta.dir, "../..");

/** The base image that a Dockerfile names last. */
export function baseOf(dockerfile: string): string {
  const names = [...readFileSync(join(root, dockerfile), "utf8").matchAll(/^FROM (\S+)/gm)];
  return names.at(-1)?.[1] ?? "";
}

interface StandIn {
  readonly name: string;
  /** Changes when the image must be made anew. */
  readonly of: string;
  readonly make: () => Promise<void>;
}

/** Makes the base images that are missing, and says which.
 *  @param services the images of compose.yaml that are not built */
export async function makeBaseImages(
  podman: Podman,
  services: { readonly timescaledb: string; readonly prometheus: string },
  say: (text: string) => void,
): Promise<void> {
  const debian = baseOf("deploy/etcd/Dockerfile");
  const folders = {
    debian: await trixieFolder(["ca-certificates"]),
    servers: await trixieFolder(),
    prometheus: await trixieFolder(["prometheus", "wget"]),
  };
  const standIns: readonly StandIn[] = [
    { name: debian, of: basename(folders.debian), make: () => podman.importFolder(folders.debian, debian, []) },
    { name: baseOf("Dockerfile"), of: Bun.version, make: () => makeBun(podman, debian, baseOf("Dockerfile")) },
    {
      name: services.timescaledb,
      of: basename(folders.servers),
      make: () => makeTimescaleDb(podman, folders.servers, services.timescaledb),
    },
    {
      name: services.prometheus,
      of: basename(folders.prometheus),
      make: () => makePrometheus(podman, folders.prometheus, services.prometheus),
    },
  ];
  for (const { name, of, make } of standIns) {
    const mark = `localhost/stand-in/${name.replaceAll(/[^a-z0-9]+/g, "-")}:${of}`;
    if ((await podman.attempt("image", "exists", mark)).code === 0) continue;
    say(`making ${name}`);
    await make();
    await podman.run("tag", name, mark);
  }
}

/** Bun on Debian, with its user and the entry of the real image. */
async function makeBun(podman: Podman, debian: string, name: string): Promise<void> {
  const instructions = [
    `FROM ${debian}`,
    "COPY bun /usr/local/bin/bun",
    "RUN groupadd --gid 1000 bun && useradd --uid 1000 --gid bun --shell /bin/sh --create-home bun",
    'CMD ["/usr/local/bin/bun"]',
  ];
  await build(podman, name, instructions, { bun: process.execPath });
}

async function makeTimescaleDb(podman: Podman, servers: string, name: string): Promise<void> {
  const base = "localhost/stand-in/servers";
  await podman.importFolder(servers, base, []);
  const instructions = [
    `FROM ${base}`,
    "COPY entry.sh /usr/local/bin/entry.sh",
    "ENV PATH=/usr/lib/postgresql/17/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "VOLUME /var/lib/postgresql/data",
    'ENTRYPOINT ["sh", "/usr/local/bin/entry.sh"]',
  ];
  await build(podman, name, instructions, { "entry.sh": join(import.meta.dir, "stand-ins/timescaledb.sh") });
}

async function makePrometheus(podman: Podman, folder: string, name: string): Promise<void> {
  const base = "localhost/stand-in/prometheus";
  await podman.importFolder(folder, base, []);
  const entry = ["prometheus", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"];
  const instructions = [
    `FROM ${base}`,
    "RUN install --directory --owner=nobody --group=nogroup /prometheus",
    "USER nobody",
    `ENTRYPOINT ${JSON.stringify(entry)}`,
  ];
  await build(podman, name, instructions, {});
}

/** Builds an image from instructions, and files by their names in it. */
async function build(
  podman: Podman,
  name: string,
  instructions: readonly string[],
  files: Readonly<Record<string, string>>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "stand-in-"));
  try {
    for (const [file, path] of Object.entries(files)) copyFileSync(path, join(folder, file));
    await Bun.write(join(folder, "Dockerfile"), `${instructions.join("\n")}\n`);
    await podman.run("build", "--pull=never", "--format", "docker", ...limits, "--tag", name, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Builds the pipeline's image, from the packages in Bun's cache, and etcd's from Debian's. */
export async function buildImages(podman: Podman, names: { readonly pipeline: string; readonly etcd: string }) {
  const cache = Bun.spawnSync([process.execPath, "pm", "cache"], { cwd: root }).stdout.toString().trim();
  if (!existsSync(cache)) mkdirSync(cache, { recursive: true });
  const options = ["--pull=never", "--format", "docker", "--network", "host", ...limits];
  await podman.run(
    ...["build", ...options, "--volume", `${cache}:/root/.bun/install/cache`, "--tag", names.pipeline, root],
  );
  await podman.run("build", ...options, "--tag", names.etcd, join(root, "deploy/etcd"));
  // what earlier builds left
  await podman.run("image", "prune", "--force", "--filter", "until=24h");
}
