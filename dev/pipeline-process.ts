import type { Subprocess } from "bun";

/** A pipeline process that a test or a bench started. */
export interface PipelineProcess {
  readonly subprocess: Subprocess<"ignore", "pipe", "pipe">;
  /** The process's output so far. */
  output(): string;
  /** Resolves when the output matches `pattern`; rejects if the process ends first, or after `timeoutMs`, 60 s by default. */
  waitFor(pattern: RegExp, timeoutMs?: number): Promise<RegExpExecArray>;
}

/** Starts `src/main.ts` with only PATH, HOME, PORT and `env` in its environment. Unless `env` sets PORT, the port is a free one.
 *  @param checkout the program's folder; by default, this checkout */
export function startPipeline(env: Record<string, string>, checkout = `${import.meta.dir}/..`): PipelineProcess {
  const subprocess = Bun.spawn([process.execPath, "src/main.ts"], {
    cwd: checkout,
    env: { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", PORT: "0", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const output = new ProcessOutput(subprocess);
  return {
    subprocess,
    output: () => output.text,
    waitFor: (pattern, timeoutMs = 60_000) => output.waitFor(pattern, timeoutMs),
  };
}

/** The output of a process: standard output and standard error together. */
class ProcessOutput {
  text = "";
  readonly #subprocess: Subprocess<"ignore", "pipe", "pipe">;
  readonly #onChange = new Set<() => void>();

  constructor(subprocess: Subprocess<"ignore", "pipe", "pipe">) {
    this.#subprocess = subprocess;
    void this.#collect(subprocess.stdout);
    void this.#collect(subprocess.stderr);
    void subprocess.exited.then(() => this.#changed());
  }

  waitFor(pattern: RegExp, timeoutMs: number): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        this.#onChange.delete(check);
        clearTimeout(timer);
        finish();
      };
      const fail = (why: string) => (): void => reject(new Error(`${why} before ${pattern}:\n${this.text}`));
      const timer = setTimeout(() => settle(fail(`${timeoutMs} ms passed`)), timeoutMs);
      const check = (): void => {
        const match = pattern.exec(this.text);
        if (match !== null) settle(() => resolve(match));
        else if (this.#hasEnded()) settle(fail("the process ended"));
      };
      this.#onChange.add(check);
      check();
    });
  }

  async #collect(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) {
      this.text += decoder.decode(chunk, { stream: true });
      this.#changed();
    }
    this.#changed();
  }

  #changed(): void {
    for (const check of this.#onChange) check();
  }

  #hasEnded(): boolean {
    return this.#subprocess.exitCode !== null || this.#subprocess.signalCode !== null;
  }
}

/** Sends a signal and waits for the end of the process. */
export async function stopPipeline({ subprocess }: PipelineProcess, signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
  subprocess.kill(signal);
  await subprocess.exited;
}

/** The URL that a pipeline prints in its banner. */
export async function urlOf(pipeline: PipelineProcess, timeoutMs?: number): Promise<string> {
  const [, url] = await pipeline.waitFor(/health\s+(https?:\/\/\S+)\/health/, timeoutMs);
  return url as string;
}
