import type { Deployment } from "./deployment.ts";
import { deployArguments } from "./helm-arguments.ts";
import { mustRun, outputOf } from "./tools.ts";

/** Installs or upgrades the release, and waits until its pods are ready.
 *  @param more arguments that set further values
 *  @throws Error with a sentence for people; helm has said more */
export async function deploy(deployment: Deployment, more: readonly string[] = []): Promise<void> {
  const version = outputOf(["helm", "version", "--short"]) ?? "";
  await mustRun(["helm", ...deployArguments(deployment, version, more)]);
}
