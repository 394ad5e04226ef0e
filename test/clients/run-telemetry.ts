/** The result of a run of the command line. */
interface CommandResult {
  readonly status: number;
  readonly text: string;
  readonly errors: string;
}

/** Less than a test's time limit, on a machine that runs others at the same time. */
const timeoutMs = 50_000;

/** Runs scripts/telemetry.ts against the gateway at this port.
 *  @param env more of its environment */
export async function runTelemetry(
  port: number,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<CommandResult> {
  const child = Bun.spawn([process.execPath, "scripts/telemetry.ts", ...args], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, TELEMETRY_URL: `http://127.0.0.1:${port}`, NO_COLOR: "1", ...env },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
  });
  const [text, errors] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const status = await child.exited;
  if (child.signalCode !== null) throw new Error(`telemetry ${args.join(" ")} was ended after ${timeoutMs} ms`);
  return { status, text, errors };
}
