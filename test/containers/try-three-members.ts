import { join } from "node:path";
import { freePorts } from "../../dev/servers/free-ports.ts";
import { until } from "../../dev/until.ts";
import { print } from "../../src/terminal/print.ts";
import { ComposeProject } from "./compose-project.ts";
import type { Podman } from "./podman.ts";
import { readCompose, readVariables } from "./read-compose.ts";

const root = join(import.meta.dir, "../..");

/** Starts compose.yaml with the variables of deploy/compose/: three members of etcd, and simulated exporters. Stops a member: records
 *  must still arrive.
 *  @throws Error if they do not */
export async function tryThreeMembers(podman: Podman): Promise<void> {
  const [port = 0] = await freePorts(1);
  const variables = ["etcd3.env", "exporters.env"].map((name) => readVariables(join(root, "deploy/compose", name)));
  const file = readCompose(join(root, "compose.yaml"), Object.assign({ GATEWAY_PORT: String(port) }, ...variables));
  const project = new ComposeProject(podman, { name: "gtp-three", file, root, settings: { DCGM_INTERVAL: "2s" } });
  try {
    await project.down();
    await project.up(["etcd3", "exporters"]);
    const key = await podman.run("exec", "gtp-three-gateway-1", "cat", "/run/access/first-key");
    const newest = async (): Promise<string | undefined> => {
      const response = await fetch(`http://127.0.0.1:${port}/api/v1/gpus?limit=100`, {
        headers: { authorization: `Bearer ${key}` },
        signal: AbortSignal.timeout(5000),
      }).catch(() => undefined);
      const { data = [] } = response?.ok === true ? ((await response.json()) as GpuList) : {};
      return data.length === 32
        ? data
            .map(({ last_seen_at }) => last_seen_at)
            .sort()
            .at(-1)
        : undefined;
    };
    const before = await until(newest, { timeoutMs: 60_000 });
    await podman.run("stop", "--time", "5", "gtp-three-etcd-1");
    const later = async (): Promise<boolean> => ((await newest()) ?? "") > before;
    await until(later, { timeoutMs: 60_000 });
    await Bun.sleep(5000);
    await until(later, { timeoutMs: 60_000 });
    print("32 GPUs of simulated exporters arrive through three members of etcd, and go on arriving through two");
  } finally {
    await project.down();
  }
}

interface GpuList {
  readonly data?: readonly { readonly last_seen_at: string }[];
}
