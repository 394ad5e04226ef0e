import { until } from "../../dev/until.ts";
import { print } from "../../src/terminal/print.ts";
import type { ComposeProject, StartedContainer } from "./compose-project.ts";
import type { Podman } from "./podman.ts";

/** Kills the first process of each container as a crash would, and waits until Podman has started it again and it is healthy. */
export async function killEach(
  podman: Podman,
  project: ComposeProject,
  containers: readonly StartedContainer[],
): Promise<void> {
  for (const { name } of containers) {
    const before = await podman.inspect(name, "{{.State.Pid}}");
    const startedAt = performance.now();
    process.kill(Number(before), "SIGKILL");
    await until(
      async () => {
        const now = await podman.inspect(name, "{{.State.Pid}}");
        return now !== "0" && now !== before;
      },
      { timeoutMs: 30_000 },
    );
    await project.untilHealthy(name);
    print(`  ${name.padEnd(24)}killed, healthy again after ${Math.round(performance.now() - startedAt)} ms`);
  }
}
