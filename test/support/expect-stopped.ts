import { expect } from "bun:test";
import { type PipelineProcess, stopPipeline } from "../../dev/pipeline-process.ts";

/** Ends processes with SIGTERM, and expects each to exit with 0. */
export async function expectStopped(pipelines: readonly PipelineProcess[]): Promise<void> {
  await Promise.all(pipelines.map((pipeline) => stopPipeline(pipeline)));
  for (const { subprocess, output } of pipelines) {
    expect([subprocess.exitCode, output()]).toEqual([0, expect.anything()]);
  }
}
