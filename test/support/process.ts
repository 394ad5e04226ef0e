import { expect } from "bun:test";
import type { Subprocess } from "bun";

/** A pipeline process of a test's own. */
export interface PipelineProcess {
  readonly subprocess: Subprocess<"ignore", "pipe", "pipe">;
  /** Everything it wrote so far. */
  output(): string;
  /** Resolves when standard output has matched; rejects when the process ends or the time is over before. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

/** Starts `src/main.ts` as its users do, on a free port unless `env` says otherwise. */
export function startPipeline(env: Record<string, string>): PipelineProcess {
  const subprocess = Bun.spawn([process.execPath, "src/main.ts"], {
    cwd: `${import.meta.dir}/../..`,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", PORT: "0", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const watchers = new Set<() => void>();
  const written = { text: "" };
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      written.text += decoder.decode(chunk, { stream: true });
      watchers.forEach((look) => look());
    }
    watchers.forEach((look) => look());
  };
  void collect(subprocess.stdout);
  void collect(subprocess.stderr);
  void subprocess.exited.then(() => watchers.forEach((look) => look()));
  return {
    subprocess,
    output: () => written.text,
    waitFor: (pattern, timeoutMs = 60_000) =>
      new Promise((resolve, reject) => {
        const settle = (finish: () => void): void => {
          watchers.delete(look);
          clearTimeout(timer);
          finish();
        };
        const fail = (why: string) => (): void => reject(new Error(`${why} before ${pattern}:\n${written.text}`));
        const timer = setTimeout(() => settle(fail(`${timeoutMs} ms passed`)), timeoutMs);
        const look = (): void => {
          const match = pattern.exec(written.text);
          if (match !== null) settle(() => resolve(match));
          else if (subprocess.exitCode !== null || subprocess.signalCode !== null) settle(fail("the process ended"));
        };
        watchers.add(look);
        look();
      }),
  };
}

/** Ends a process and waits for its end. */
export async function stopPipeline({ subprocess }: PipelineProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  subprocess.kill(signal);
  await subprocess.exited;
}

/** Where a started pipeline listens, from its banner. */
export async function urlOf(pipeline: PipelineProcess): Promise<string> {
  const [, url] = await pipeline.waitFor(/health\s+(http:\/\/\S+)\/health/);
  return url as string;
}

/** Ends processes, and expects that each exits 0. */
export async function expectStopped(pipelines: readonly PipelineProcess[]): Promise<void> {
  await Promise.all(pipelines.map((pipeline) => stopPipeline(pipeline)));
  for (const { subprocess, output } of pipelines) {
    expect([subprocess.exitCode, output()]).toEqual([0, expect.anything()]);
  }
}
